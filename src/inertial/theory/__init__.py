"""What the papers claim: Lyapunov functions and theorems, judged on what a run recorded."""
