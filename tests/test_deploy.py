"""The local run is the system of AWS, but for zips of its own; what the emulator cannot have is left out."""

import io
import sys
import zipfile

import pytest

from local import assembly, project
from local.assembly import AssemblyError, synthesize
from local.project import Builds, read_template
from wslocal import Stack, fit


def zip_of(*names):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in names:
            archive.writestr(name, "")
    return buffer.getvalue()


def test_zips_differ_by_what_is_in_them(monkeypatch):
    monkeypatch.setattr(project, "build_layer", lambda: b"layer")
    monkeypatch.setattr(project, "build_authorizer", lambda: b"authorizer")
    monkeypatch.setattr(project, "build_functions", lambda packages: ",".join(packages).encode())
    other, instead_of = zip_of("index.html"), Builds().instead_of

    assert instead_of(zip_of("python/shared_utils/__init__.py")) == b"layer"
    assert (
        instead_of(zip_of("handler.py", "jwt/__init__.py", "token_authorizer.py")) == b"authorizer"
    )
    code = "handlers/__init__.py", "handlers/audio.py", "broadcast/store.py"
    assert instead_of(zip_of(*code)) == b"broadcast,handlers"
    assert instead_of(other) == other


def test_zip_is_built_again_when_a_source_of_it_changes(monkeypatch, tmp_path):
    source = tmp_path / "functions" / "handlers" / "audio.py"
    source.parent.mkdir(parents=True)
    source.write_text("one")
    monkeypatch.setattr(project, "ROOT", tmp_path)
    monkeypatch.setattr(project, "build_functions", lambda packages: source.read_bytes())
    builds, built = Builds(), []

    for text in ("one", "one", "two"):
        source.write_text(text)
        built.append(builds.functions(("handlers",)))

    assert built == [b"one", b"one", b"two"]
    assert built[0] is built[1]


def test_of_the_template_only_what_watches_it_is_left_out():
    left_out = {gone.type for gone in fit(Stack("Stack", read_template("dev"), {}, {})).left_out}

    assert left_out == {"AWS::CloudWatch::Alarm", "AWS::Logs::QueryDefinition"}


ISSUER = {"SPEAKER_ISSUER": "http://127.0.0.1:9", "SPEAKER_AUDIENCE": "talks"}


@pytest.fixture
def made(monkeypatch, tmp_path):
    """Return the contexts of which a template was made, while none is kept yet."""
    contexts = []

    def make(context, folder):
        contexts.append(context)
        folder.mkdir(parents=True)
        (folder / "manifest.json").touch()

    monkeypatch.setattr(assembly, "CACHE", tmp_path)
    monkeypatch.setattr(assembly, "_make_assembly", make)
    return contexts


def test_issuer_makes_a_template_of_its_own(made):
    open_to_all = synthesize("dev")
    guarded = synthesize("dev", ISSUER)

    assert guarded != open_to_all
    assert (synthesize("dev", ISSUER), synthesize("dev", {})) == (guarded, open_to_all)
    assert made == [{"stage": "dev"}, {"stage": "dev", **ISSUER}]


def test_settings_of_the_functions_alone_make_none(made):
    assert synthesize("dev", {"RATE_LIMIT_AUDIO_CHUNKS": "7"}) == synthesize("dev")
    assert made == [{"stage": "dev"}]


def test_setting_that_the_app_refuses_is_reported_in_its_words(monkeypatch, tmp_path):
    monkeypatch.setattr(assembly, "CACHE", tmp_path)

    with pytest.raises(AssemblyError) as refused:
        synthesize("dev", {"SPEAKER_AUDIENCE": "talks"})

    assert str(refused.value).startswith("SPEAKER_AUDIENCE needs SPEAKER_ISSUER")


def test_template_is_for_this_python_whatever_is_deployed_to_aws(monkeypatch, tmp_path):
    """Neither cdk.json nor what the CDK's command line has left in the environment counts here."""
    monkeypatch.setattr(assembly, "CACHE", tmp_path)
    monkeypatch.setenv("CDK_CONTEXT_JSON", '{"python": "3.3"}')

    functions = [
        row["Properties"]
        for row in read_template("dev")["Resources"].values()
        if row["Type"] == "AWS::Lambda::Function"
    ]

    assert {row["Runtime"] for row in functions} == {f"python3.{sys.version_info.minor}"}
