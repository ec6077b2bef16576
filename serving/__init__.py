"""What serves a released model: text or contexts in, predicted continuations out (docs/serving.md)."""
