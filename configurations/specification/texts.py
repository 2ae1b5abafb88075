"""Rules for one value: names, URLs, paths, references, times. Forms and the whole share them.

Each returns a Violation with an empty field path, or None. Sources of the rules: the CLI
extension k8s-configuration, the ARM schema, Kubernetes (RFC 1123), git-check-ref-format.
"""

from __future__ import annotations

import re
import unicodedata
from urllib.parse import urlsplit

from django.utils.translation import gettext as _

from configurations.specification.violations import Violation

NAME_LIMIT = 63
URL_LIMIT = 2000
PATH_LIMIT = 1000
SECONDS_LIMIT = 365 * 24 * 3600

_SUBDOMAIN = re.compile(r"[a-z0-9](?:[-.a-z0-9]*[a-z0-9])?")
_LABEL = re.compile(r"[a-z0-9](?:[-a-z0-9]*[a-z0-9])?")
_SCHEMES = {
    "GitRepository": ("https://", "http://", "ssh://", "git@"),
    "Bucket": ("https://", "http://"),
    "AzureBlob": ("https://", "http://"),
    "OCIRepository": ("oci://",),
}
_SCP = re.compile(r"(?P<user>[^@/:\s]+)@(?P<host>[^@/:\s]+):(?P<path>[^\s]+)")
_HOST = re.compile(r"(?!-)[A-Za-z0-9_.-]+(?<!-)|\[[0-9A-Fa-f:.]+\]|[0-9A-Fa-f:.]+")
_COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_SEMVER_TERM = re.compile(
    r"(?:[<>~^]=?|={1,2}|!=)?v?(?:\d+|[xX*])(?:\.(?:\d+|[xX*])){0,2}"
    r"(?:-[0-9A-Za-z.-]+)?(?:\+[0-9A-Za-z.-]+)?"
)
_BAD_IN_REF = re.compile(r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//")
_GO_DURATION = re.compile(r"(?:(?P<h>\d+)h)?(?:(?P<m>\d+)m)?(?:(?P<s>\d+)s)?")
_BUCKET = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,220}[A-Za-z0-9])?")  # S3, GCS and MinIO
_CONTAINER = re.compile(r"(?!.*--)[a-z0-9](?:[a-z0-9-]{1,61}[a-z0-9])|\$root|\$web")
_GUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_MEDIA_PART = r"[A-Za-z0-9][\w!#$&^.+-]{0,126}"
_MEDIA_TYPE = re.compile(f"{_MEDIA_PART}/{_MEDIA_PART}")  # RFC 6838
# A repository within its registry (OCI distribution specification 1.1).
_OCI_PART = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
_OCI_NAME = re.compile(f"{_OCI_PART}(?:/{_OCI_PART})*")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")  # kustomize-controller 1.7, post build
_ISO_DURATION = re.compile(
    r"P(?=.)(?:\d+Y)?(?:\d+M)?(?:\d+W)?(?:\d+D)?(?:T(?=\d)(?:\d+H)?(?:\d+M)?(?:\d+(?:\.\d+)?S)?)?"
)


def _broken(code: str, message: str, suggestion: str | None = None) -> Violation:
    return Violation((), code, message, suggestion or None)


def has_control(value: str) -> bool:
    """Whether there is a character that no terminal and no manifest should ever see."""
    return any(unicodedata.category(char) in {"Cc", "Cf", "Cs", "Zl", "Zp"} for char in value)


def _slug(value: str, *, dots: bool) -> str | None:
    """The nearest valid name: "Monitoring_Stack" gives "monitoring-stack"."""
    plain = unicodedata.normalize("NFKD", value).encode("ascii", "ignore").decode().lower()
    allowed = r"[^a-z0-9.]+" if dots else r"[^a-z0-9]+"
    slug = re.sub(allowed, "-", plain)[:NAME_LIMIT].strip("-.")
    return slug if slug and slug != value else None


def name(value: str) -> Violation | None:
    """Name of a configuration or a kustomization: a DNS subdomain of at most 63 characters."""
    if not value:
        return _broken("required", _("Enter a name."))
    suggestion = _slug(value, dots=True)
    if len(value) > NAME_LIMIT:
        return _broken(
            "too_long", _("Use at most %(n)d characters.") % {"n": NAME_LIMIT}, suggestion
        )
    if value[0] in "-." or value[-1] in "-.":
        return _broken("ends", _("Begin and end with a letter or a digit."), suggestion)
    if not _SUBDOMAIN.fullmatch(value):
        return _broken(
            "characters", _("Use lower case letters, digits, hyphens and periods."), suggestion
        )
    return None


def namespace(value: str) -> Violation | None:
    """A Kubernetes namespace: a DNS label of at most 63 characters (ARM alone would take 253)."""
    if not value:
        return _broken("required", _("Enter a namespace."))
    suggestion = _slug(value, dots=False)
    if len(value) > NAME_LIMIT:
        return _broken(
            "too_long", _("Use at most %(n)d characters.") % {"n": NAME_LIMIT}, suggestion
        )
    if value[0] == "-" or value[-1] == "-":
        return _broken("ends", _("Begin and end with a letter or a digit."), suggestion)
    if not _LABEL.fullmatch(value):
        return _broken("characters", _("Use lower case letters, digits and hyphens."), suggestion)
    return None


def secret_name(value: str) -> Violation | None:
    """The name of a Secret in the configuration's namespace (local auth reference)."""
    if len(value) <= 253 and _SUBDOMAIN.fullmatch(value):
        return None
    return _broken(
        "characters",
        _("Use the name of a Secret: lower case letters, digits, hyphens and periods."),
        _slug(value, dots=True),
    )


def account_name(value: str) -> Violation | None:
    """The name of a ServiceAccount in the configuration's namespace."""
    if len(value) <= 253 and _SUBDOMAIN.fullmatch(value):
        return None
    return _broken(
        "characters",
        _("Use the name of a service account: lower case letters, digits, hyphens and periods."),
        _slug(value, dots=True),
    )


def bucket_name(value: str) -> Violation | None:
    """A bucket by its bare name; stores differ in the rest (S3: 3 to 63 characters)."""
    if not value:
        return _broken("required", _("Enter the bucket's name."))
    if _BUCKET.fullmatch(value):
        return None
    bare = re.sub(r"^[a-z0-9]+://", "", value.strip()).strip("/")
    return _broken(
        "characters",
        _("Use the bucket's bare name: letters, digits, hyphens, periods and underscores."),
        bare if bare != value and _BUCKET.fullmatch(bare) else None,
    )


def container_name(value: str) -> Violation | None:
    """A blob container (Azure Storage: Naming and referencing containers)."""
    if not value:
        return _broken("required", _("Enter the container's name."))
    if _CONTAINER.fullmatch(value):
        return None
    lower = value.strip().strip("/").lower()
    return _broken(
        "characters",
        _("Use 3 to 63 lower case letters, digits and single hyphens, none at the ends."),
        lower if lower != value and _CONTAINER.fullmatch(lower) else None,
    )


def guid(value: str) -> Violation | None:
    """A client or tenant id of Microsoft Entra."""
    if _GUID.fullmatch(value):
        return None
    bare = value.strip().strip("{}")
    return _broken(
        "guid",
        _("Enter an id such as the Entra portal shows."),
        bare if _GUID.fullmatch(bare) else None,
    )


def media_type(value: str) -> Violation | None:
    """The media type of a layer of an OCI artifact."""
    if _MEDIA_TYPE.fullmatch(value):
        return None
    return _broken("media_type", _("Write it as type/subtype."))


def oci_url(value: str) -> Violation | None:
    """What `url` leaves open of oci://registry/repository: the repository, and no tag in it."""
    registry, slash, name = value.removeprefix("oci://").partition("/")
    if not registry or not slash or not name.strip("/"):
        return _broken("url", _("Name the registry and the repository: oci://host/path."))
    bare = re.split(r"[:@]", name, maxsplit=1)[0].strip("/").lower()
    if ":" in name or "@" in name:
        return _broken(
            "tag_in_url",
            _("Leave the tag or digest out of the URL: it is chosen by the reference type."),
            f"oci://{registry}/{bare}" if _OCI_NAME.fullmatch(bare) else None,
        )
    if not _OCI_NAME.fullmatch(name):
        return _broken(
            "url",
            _("A repository has lower case letters, digits, and single . _ - or / between them."),
            f"oci://{registry}/{bare}" if _OCI_NAME.fullmatch(bare) else None,
        )
    return None


def url(value: str, kind: str = "GitRepository") -> Violation | None:
    """A source's URL: the scheme that its kind takes, a host, and nobody's password."""
    if not value:
        return _broken("required", _("Enter a URL."))
    if len(value) > URL_LIMIT:
        return _broken("too_long", _("Use at most %(n)d characters.") % {"n": URL_LIMIT})
    stripped = value.strip()
    if has_control(value) or re.search(r"\s", value):
        suggestion = stripped if not re.search(r"\s", stripped) else None
        return _broken(
            "characters", _("Leave out spaces and control characters."),
            suggestion if suggestion and not has_control(suggestion) else None,
        )  # fmt: skip
    schemes = _SCHEMES.get(kind, ("https://",))
    if not value.startswith(schemes):
        lower = value.split(":", 1)[0].lower() + value[len(value.split(":", 1)[0]) :]
        suggestion = lower if lower.startswith(schemes) else None
        if "://" not in value and "@" not in value and "." in value.split("/")[0]:
            suggestion = schemes[0] + value
        return _broken(
            "scheme", _("Begin with %(schemes)s.") % {"schemes": ", ".join(schemes)}, suggestion
        )
    if value.startswith("git@"):
        found = _SCP.fullmatch(value)
        if not found or not _HOST.fullmatch(found["host"]):
            return _broken("url", _("Write it as git@host:owner/repository."))
        return None
    return _url_parts(value)


def _url_parts(value: str) -> Violation | None:
    try:
        parts = urlsplit(value)
        host, _port = parts.hostname or "", parts.port
    except ValueError:
        return _broken("url", _("This is not a URL."))
    if not host or not _HOST.fullmatch(host):
        return _broken("host", _("The URL has no valid host."))
    if parts.password is not None or (parts.username is not None and parts.scheme != "ssh"):
        bare = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
        return _broken(
            "userinfo", _("Leave user and password out of the URL: everybody can read it."), bare
        )
    if parts.query or parts.fragment:
        bare = parts._replace(query="", fragment="").geturl()
        return _broken("url", _("Leave out what follows ? or #."), bare)
    return None


def variable(value: str) -> Violation | None:
    """The name of a variable that Flux substitutes after the build."""
    if _VARIABLE.fullmatch(value):
        return None
    return _broken(
        "variable",
        _("Name it by letters, digits and underscores; it does not begin with a digit."),
        re.sub(r"[^A-Za-z0-9_]+", "_", value).lstrip("0123456789") or None,
    )


def path(value: str) -> Violation | None:
    """A folder within the source; empty means its root."""
    if not value:
        return None
    if len(value) > PATH_LIMIT:
        return _broken("too_long", _("Use at most %(n)d characters.") % {"n": PATH_LIMIT})
    if has_control(value):
        return _broken("characters", _("Leave out control characters."))
    if value != value.strip():
        return _broken("spaces", _("Leave out spaces at the ends."), value.strip())
    if value.startswith("/"):
        return _broken("absolute", _("Write it relative to the root."), "./" + value.lstrip("/"))
    if value.startswith("-"):
        return _broken("hyphen", _("A path may not begin with a hyphen."), "./" + value)
    if "\\" in value:
        return _broken("backslash", _("Separate folders with /."), value.replace("\\", "/"))
    if ".." in value.split("/"):
        return _broken("parent", _("A path may not leave the source: leave out “..”."))
    return None


def reference(kind: str, value: str) -> Violation | None:
    """A Git reference; `kind` is branch, tag, semver or commit."""
    if not value:
        return _broken("required", _("Enter a value for the reference."))
    if kind == "commit":
        return _commit(value)
    if kind == "semver":
        return _semver(value)
    if len(value) > 244 or value in {"@", "HEAD"} or _bad_ref(value):
        suggestion = value.strip().removeprefix("refs/heads/").removeprefix("refs/tags/")
        usable = suggestion != value and not _bad_ref(suggestion)
        return _broken(
            "reference", _("Git does not take this as a name."), suggestion if usable else None
        )
    if value.startswith(("refs/heads/", "refs/tags/")):
        return _broken("reference", _("Write the short name."), value.split("/", 2)[2])
    return None


def _bad_ref(value: str) -> bool:
    """The rules of git-check-ref-format."""
    parts = value.split("/")
    return (
        not value
        or bool(_BAD_IN_REF.search(value))
        or has_control(value)
        or value[0] in "-/"
        or value[-1] in "./"
        or any(part.startswith(".") or part.endswith(".lock") for part in parts)
    )


def _commit(value: str) -> Violation | None:
    if _COMMIT.fullmatch(value):
        return None
    lower = value.strip().lower()
    if _COMMIT.fullmatch(lower):
        return _broken("commit", _("Write the commit in lower case."), lower)
    return _broken("commit", _("Enter the whole commit: 40 hexadecimal digits."))


def _semver(value: str) -> Violation | None:
    for group in value.split("||"):
        close = re.sub(r"([<>=~^!]+)\s+", r"\1", group.strip())  # "> 1.0" is ">1.0"
        terms = [term for term in re.split(r"\s+-\s+|\s*,\s*|\s+", close) if term]
        if not terms or not all(_SEMVER_TERM.fullmatch(term) for term in terms):
            return _broken("semver", _("Enter a semver range such as >=1.0.0 <2.0.0."))
    return None


def seconds(value: int) -> Violation | None:
    """A time of Flux's in seconds."""
    if value < 1:
        return _broken("too_short", _("Enter a time of at least 1 second."))
    if value > SECONDS_LIMIT:
        return _broken("too_long", _("Enter a time of at most 365 days."))
    return None


def iso_duration(value: str) -> Violation | None:
    """ISO 8601, as reconciliationWaitDuration takes it: PT5M, PT1H, P1D."""
    if _ISO_DURATION.fullmatch(value):
        return None
    return _broken("duration", _("Enter an ISO 8601 duration such as PT5M."))


def parse_minutes(value: str) -> int | None:
    """Seconds from what is typed as minutes: "10", "1.5", or a Go duration such as "1h2m5s"."""
    text = value.strip()
    if re.fullmatch(r"\d{1,9}(?:[.,]\d{1,4})?", text):
        return round(float(text.replace(",", ".")) * 60)
    found = _GO_DURATION.fullmatch(text)
    if not text or found is None or len(text) > 30:
        return None
    return int(found["h"] or 0) * 3600 + int(found["m"] or 0) * 60 + int(found["s"] or 0)


def minutes_text(value: int) -> str:
    """Seconds as they are typed: whole minutes as a number, others as a Go duration."""
    if value % 60 == 0:
        return str(value // 60)
    minutes, rest = divmod(value, 60)
    return f"{minutes}m{rest}s" if minutes else f"{rest}s"
