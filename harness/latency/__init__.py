"""How long a model takes to answer, beside the accepted one and beside a product that does not change.

Two models are asked in turns in one process, so that a busy moment slows both; what is judged is the ratio, with the
interval of its rounds, and an alarm is measured a second time before it counts. docs/latency.md says how it is used.
"""
