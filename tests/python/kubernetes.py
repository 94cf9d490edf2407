"""Validates the YAML documents of a file against the schemas of Kubernetes, and prints each as a line of JSON.

usage: kubernetes.py VERSION FILE     VERSION: of Kubernetes (1.33), or - for YAML of any kind
"""

import json
import sys

import kubernetes_validate
import yaml

# Kinds that others bring to a cluster, whose schemas are not part of it.
OTHERS = "monitoring.coreos.com/"

version, path = sys.argv[1:]
with open(path, encoding="utf-8") as file:
    documents = [document for document in yaml.safe_load_all(file) if document]
for document in documents:
    if version != "-" and not document["apiVersion"].startswith(OTHERS):
        kubernetes_validate.validate(document, version, strict=True)
    print(json.dumps(document))
