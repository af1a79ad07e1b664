"""Runs the checks of one kind of client, and says which failed."""

import sys
import traceback


def run(kind, checks, client, after=lambda: None):
    """Ends the process: 1 if a check, or what is looked at `after` it, raised."""
    failed = 0
    for check in checks:
        try:
            check()
            after()
        except Exception:
            failed += 1
            print(f"{kind} {check.__name__}: FAILED")
            traceback.print_exc()
    print(f"{len(checks) - failed} passed, {failed} failed ({client}, python)")
    sys.exit(1 if failed else 0)
