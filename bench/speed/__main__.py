"""Answer every question in its short form, one process each: python -m bench.speed"""

import subprocess
import sys
import time

from bench.speed.machine import described, peaks

QUESTIONS: tuple[str, ...] = ("encoding", "reading", "requests", "propagation", "day")


def main() -> None:
    facts = {**described(), **{name: round(value, 1) for name, value in peaks().items()}}
    print("\n".join(f"{name}: {value}" for name, value in facts.items()), flush=True)
    failed = []
    for question in QUESTIONS:
        began = time.monotonic()
        done = subprocess.run([sys.executable, "-m", f"bench.speed.{question}", "--short"], check=False)
        print(f"\n({question}: {time.monotonic() - began:.0f} s)", flush=True)
        failed += [question] if done.returncode else []
    if failed:
        raise SystemExit(f"these questions failed: {', '.join(failed)}; run each by itself to see why")


if __name__ == "__main__":
    main()
