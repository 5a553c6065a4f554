"""How well the checks find planted faults: right ledgers, faults by kind, recall and false alarms.

python -m papertally.checks.benchmark            print the grades
python -m papertally.checks.benchmark --write    write them into docs/checks.md
"""
