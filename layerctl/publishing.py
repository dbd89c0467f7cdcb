"""`publish`: a new version if the content is new, then the parameters."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from layerctl import doing, ownership, parameters, planning, versions
from layerctl.archive import code_sha256
from layerctl.check_zip import check_zip
from layerctl.errors import WrongInputError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from layerctl.archive import Archive
    from layerctl.aws import Aws
    from layerctl.options import Names
    from layerctl.versions import LayerVersion

__all__ = ["Published", "publish", "share"]


@dataclass(frozen=True, slots=True)
class Published:
    """What `publish` came to. `published` is False when the newest version has this content."""

    arn: str
    published: bool
    sha256: str
    moved: Mapping[str, str] = field(default_factory=dict)  # parameters and their new values
    public: str = ""  # `made public` or `public already`, if that was asked for

    @property
    def state(self) -> str:
        """Return what was done in a few words: `published, made public`."""
        return ", ".join(
            filter(None, ("published" if self.published else "unchanged", self.public))
        )

    @property
    def sentence(self) -> str:
        """Return it for people."""
        what = "published" if self.published else "unchanged: the newest version is"
        moved = [f"moved {name} to {value}" for name, value in self.moved.items()]
        public = [f"{self.public}: every AWS account may use {self.arn}"] * bool(self.public)
        said = f"{what} {versions.short(self.arn)}, sha256 {self.sha256[:16]}"
        return "\n".join([said, *moved, *public])


def publish(
    aws: Aws, names: Names, archive: Archive, package: str, runtimes: Sequence[str], force: bool
) -> Published:
    """Publish the zip unless the newest version has its content; then move the parameters."""
    _refuse_no_layer(archive, package)
    newest = next(iter(versions.list_versions(aws, names.layer)), None)
    same = newest if newest and _same(aws, newest, archive) else None
    values = parameters.read(aws, names.parameters)
    if same and values.get(f"{names.parameters}/latest") == same.arn:
        return Published(same.arn, False, _sha256(aws, same.arn))
    if not force:
        owner = _owner(aws, names, newest)
        planning.refuse_owned(f"the layer {names.layer}", owner, names.stage)
    arn = same.arn if same else versions.publish(aws, names.layer, archive, package, runtimes)
    moved = _move(aws, names.parameters, arn, values)
    return Published(arn, same is None, _sha256(aws, arn), moved)


def share(aws: Aws, result: Published) -> Published:
    """Let every AWS account use what was published, also if it is unchanged."""
    made = versions.make_public(aws, result.arn)
    return replace(result, public="made public" if made else "public already")


def _refuse_no_layer(archive: Archive, package: str) -> None:
    for finding in check_zip(archive, package):
        if finding.level == "error":
            raise WrongInputError(
                f"{archive.origin} is not a layer that works: {finding.message}; {finding.remedy}"
            )


def _same(aws: Aws, newest: LayerVersion, archive: Archive) -> bool:
    """Return whether contents are the same; another compression or date makes no new version."""
    _, digest, _ = versions.read_version(aws, newest.arn)
    if digest == code_sha256(archive.content):
        return True
    _, published = versions.fetch(aws, newest.arn)
    return published.digest == archive.digest


def _owner(aws: Aws, names: Names, newest: LayerVersion | None) -> str:
    prefix = names.parameters
    owner = ownership.parameter_owner(aws, [f"{prefix}/arn", f"{prefix}/version"])
    return owner or (ownership.resource_owner(aws, newest.arn) if newest else "")


def _move(aws: Aws, prefix: str, arn: str, values: Mapping[str, str]) -> Mapping[str, str]:
    """Move the parameters; `latest` is the last one, so it says that all of them were moved."""
    wanted = [*parameters.in_use(prefix, arn), parameters.latest(prefix, arn)]
    steps = planning.parameter_steps(wanted, values)
    outcome = doing.carry_out(steps, lambda step: doing.do(aws, step))
    if outcome.failed:
        raise doing.stop_error(outcome)
    return {step.name: step.after for step in steps}


def _sha256(aws: Aws, arn: str) -> str:
    return versions.hexadecimal(versions.read_version(aws, arn)[1])
