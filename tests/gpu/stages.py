#!/usr/bin/env python3
"""Prints the --set options that put a topology's compute actors on a device, one an argument line.

usage: stages.py TOPOLOGY.toml DEVICE
"""
import sys
import tomllib

COMPUTE = ("sampler", "learner", "reference", "critic", "scorer.reward_model", "evaluator.")

with open(sys.argv[1], "rb") as file:
    actors = tomllib.load(file)["actors"]
for name, keys in actors.items():
    if keys["kind"].startswith(COMPUTE):
        print(f"--set\nactors.{name}.device={sys.argv[2]}")
