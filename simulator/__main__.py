"""``python -m simulator``: the stand-in for Azure on https://localhost."""

from __future__ import annotations

import argparse
from pathlib import Path

from simulator.certificates import load_certificates
from simulator.factory import build_simulator
from simulator.seed import check_seed
from simulator.server import serve
from simulator.sources import ACCESS_KINDS, parse_access, parse_repositories


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m simulator", description=__doc__)
    parser.add_argument("--port", type=int, default=8443, help="0 picks a free one")
    parser.add_argument("--data", type=Path, required=True, help="where the state is kept")
    parser.add_argument("--seed", default="tutorial", help="tutorial or fleet:CLUSTERSxCONFIGS")
    parser.add_argument(
        "--repo",
        action="append",
        default=[],
        metavar="URL=PATH",
        help="take the content of a URL from a local folder: a Git repository, "
        "ENDPOINT/BUCKET, ENDPOINT/CONTAINER, oci://HOST/REPOSITORY[:TAG], or Helm charts",
    )
    parser.add_argument(
        "--repo-auth",
        action="append",
        default=[],
        metavar="URL=KIND:VALUE",
        help="what a source asks for of those who read it; the kinds are "
        + "; ".join(f"{kind}: {text}" for kind, text in ACCESS_KINDS.items()),
    )
    parser.add_argument(
        "--pace", type=float, default=1.0, help="scale of every simulated delay; 0 is immediate"
    )
    parser.add_argument(
        "--no-throttle", action="store_true", help="let every request pass, however many"
    )
    return parser


def main() -> None:
    parser = _arguments()
    arguments = parser.parse_args()
    try:
        seed = check_seed(arguments.seed)
        repositories = parse_repositories(arguments.repo)
        access = parse_access(arguments.repo_auth)
    except ValueError as error:
        parser.error(str(error))
    if arguments.pace < 0:
        parser.error("--pace cannot be negative")
    data_directory = arguments.data.resolve()
    simulator = build_simulator(
        data_directory,
        seed=seed,
        repositories=repositories,
        pace=arguments.pace,
        throttle=not arguments.no_throttle,
        access=access,
    )
    serve(simulator, load_certificates(data_directory), arguments.port)


if __name__ == "__main__":
    main()
