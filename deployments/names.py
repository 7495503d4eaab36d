"""How the names that people give to things are compared and read. Plain functions over text."""

import hashlib
import re
import unicodedata

# A name counts as production where one of its words is one of these …
_PRODUCTION_WORDS = {"production", "prod", "prd", "live"}
# … and none says that it only resembles production or comes before it.
_NOT_PRODUCTION_WORDS = {
    "pre", "non", "not", "no", "nonprod", "nonproduction", "preprod", "preproduction",
    "pseudo", "like", "test", "testing", "staging", "stage", "dev", "development", "sandbox", "mirror", "copy",
}  # fmt: skip


def name_key(name: str) -> str:
    """Return what two spellings of one name have in common: case and surrounding space do not tell them apart."""
    return unicodedata.normalize("NFC", name.strip()).casefold()


def order_within_second(rank: int, facts: object) -> str:
    """Return what puts events of one second into an order, whichever arrived first: their rank, their content."""
    return f"{rank:02}-{hashlib.sha256(repr(facts).encode()).hexdigest()[:32]}"


def is_production_name(name: str) -> bool:
    """Tell whether an environment of this name is production, by the spellings in use.

    `production`, `prod`, `prd` and `live`, alone or as a word among others (`production-eu`, `eu-prod`,
    `prod2`), are. `pre-production`, `non-prod`, `preprod`, `prod-like` are not.
    """
    spaced = re.sub(r"([a-z0-9])([A-Z])", r"\1 \2", name)  # `prodEu` has two words
    words = set(re.findall(r"[a-z]+", spaced.casefold()))
    return bool(words & _PRODUCTION_WORDS) and not words & _NOT_PRODUCTION_WORDS


def normalise_monorepo_path(path: str) -> str:
    """Return a directory of a repository without leading `./`, surrounding slashes or doubled ones.

    The whole repository is the empty string. Raises ValueError where the path leaves the repository.
    """
    parts = [part for part in path.strip().split("/") if part not in ("", ".")]
    if ".." in parts:
        raise ValueError("must stay inside the repository: '..' is not allowed")
    return "/".join(parts)


def normalise_sha(sha: str) -> str:
    """Return a commit hash as Git writes it: in lower case, where it is hexadecimal at all."""
    sha = sha.strip()
    return sha.lower() if re.fullmatch(r"[0-9a-fA-F]+", sha) else sha
