"""Drives a server by its OpenAPI document with schemathesis: DIRECTORY (which it may write to), then its command line."""

import os
import sys

from schemathesis.cli import schemathesis

os.chdir(sys.argv.pop(1))
schemathesis()
