"""Shows a trace as one self-contained HTML file; reads nothing but the trace."""
