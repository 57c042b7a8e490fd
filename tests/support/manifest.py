"""Checks manifests field by field against the types of the Kubernetes API, as its Python client has them: an unknown
or missing field, or a value of another type, is an error. By hand, since it needs python3-kubernetes and python3-yaml:

    /usr/bin/python3 tests/support/manifest.py configs/nodes/kubernetes.yaml
"""
import sys

import kubernetes
import yaml

PLAIN = {"str": str, "int": int, "bool": bool, "float": (int, float), "object": object, "datetime": object}


def problems(value, kind, at):
    """What is wrong with a value that should be of that kind: "V1Pod", "list[str]", "dict(str, str)", "str"."""
    if kind.startswith("list["):
        if not isinstance(value, list):
            return [f"{at}: should be a list"]
        return [p for i, item in enumerate(value) for p in problems(item, kind[5:-1], f"{at}[{i}]")]
    if kind.startswith("dict("):
        if not isinstance(value, dict):
            return [f"{at}: should be a table"]
        return [p for key, item in value.items() for p in problems(item, kind[5:-1].split(", ")[1], f"{at}.{key}")]
    if kind in PLAIN:
        good = isinstance(value, PLAIN[kind]) and (kind != "int" or not isinstance(value, bool))
        return [] if good else [f"{at}: should be of type {kind}"]
    model = getattr(kubernetes.client, kind)
    if not isinstance(value, dict):
        return [f"{at}: should be a {kind}"]
    fields = {json: (name, model.openapi_types[name]) for name, json in model.attribute_map.items()}
    found = [f"{at}.{key}: {kind} has no such field" for key in value if key not in fields]
    for key in value.keys() & fields.keys():
        found += problems(value[key], fields[key][1], f"{at}.{key}")
    try:  # the client's models refuse a missing field that must be there
        model(**{fields[key][0]: value[key] for key in value.keys() & fields.keys()})
    except ValueError as missing:
        found.append(f"{at}: {missing}")
    return found


def kind_of(document):
    """V1Job of "batch/v1", "Job"."""
    return document["apiVersion"].rpartition("/")[2].capitalize() + document["kind"]


if __name__ == "__main__":
    found = []
    for file in sys.argv[1:]:
        with open(file) as text:
            documents = [d for d in yaml.safe_load_all(text) if d is not None]
        for document in documents:
            found += problems(document, kind_of(document), f"{file}: {document['kind']} {document['metadata']['name']}")
        print(f"{file}: {len(documents)} objects, client {kubernetes.__version__}")
    print("\n".join(found) or "no problem found")
    sys.exit(bool(found))
