"""How well the checks find planted faults: right ledgers, faults by kind, recall and false alarms.

python -m paper.checks.benchmark            print the grades
python -m paper.checks.benchmark --write    write them into docs/checks.md
"""
