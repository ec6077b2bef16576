"""stub"""
def render_terminal(scorecard, colour): return "\n".join(f"{c['name']} {c['verdict']} {c['reasons']}" for c in scorecard["models"]+scorecard["controls"])+"\n"
