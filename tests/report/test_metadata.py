"""The model index is today's, loads in OpenMMLab's own reader, and claims nothing that was not achieved."""

from __future__ import annotations

import pytest
import yaml
from helpers import MICRONET, ROOT, training

from papertally.ledger.load import load_ledger
from papertally.pages.command import judged
from report import metadata
from report.__main__ import main
from report.project import projects_of


@pytest.mark.slow
def test_the_committed_files_are_todays():
    assert main(["metadata", "--check"], root=ROOT) == 0


def test_openmmlabs_reader_takes_them(monkeypatch):
    reader = pytest.importorskip("modelindex.load_model_index")
    monkeypatch.chdir(ROOT)
    index = reader.load("model-index.yml")
    index.build_models_with_collections()
    models = {m.name: m for m in index.models}
    assert len(models) == 62
    m1 = models["t2_micronet_m1"]
    assert m1.metadata.parameters == 2_394_648
    assert all((ROOT / m.config).is_file() for m in models.values())


@pytest.mark.slow
def test_metrics_hold_what_was_achieved_alone(checkout):
    files = metadata.metafiles(judged(projects_of(checkout)(None)))
    text = files["configs/classification/metafile.yml"]
    entry = next(m for m in yaml.safe_load(text)["Models"] if m["Name"] == "t2_micronet_m0")["Results"][0]
    assert entry["Metrics"] == {}
    assert entry["Printed"]["Top-1"] == "51.4"
    assert entry["Verdicts"] == {"Params": "reproduced", "MAdds": "depends", "Top-1": "not-run", "Top-5": "not-run"}
    training(checkout, "paper", values={"top1": 51.0, "top5": 74.25}, data={"name": "imagenet", "pin": "x"})
    (checkout / "model-index.yml").write_text("")
    assert main(["metadata", "--check"], root=checkout) == 3
    assert main(["metadata"], root=checkout) == 0
    assert main(["metadata", "--check"], root=checkout) == 0
    models = yaml.safe_load((checkout / "configs/classification/metafile.yml").read_text())["Models"]
    entry = next(m for m in models if m["Name"] == "t2_micronet_m0")["Results"][0]
    assert entry["Metrics"] == {"Top 1 Accuracy": 51.0, "Top 5 Accuracy": 74.25}
    assert entry["Verdicts"]["Top-1"] == "consistent (n = 1)"


def test_the_citation_is_the_ledgers_paper():
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text())["references"][0]
    ledger = load_ledger(MICRONET)
    assert cited["title"] == ledger.title
    assert [f"{a['given-names']} {a['family-names']}" for a in cited["authors"]] == list(ledger.authors)
    assert cited["identifiers"][0]["value"] == f"arXiv:{ledger.arxiv}"
