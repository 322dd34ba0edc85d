#!/bin/bash
# Starts ComfyUI. `comfy-start run --help` says what it does, and docs/running.md shows it.
# Arguments go to ComfyUI, after those of CLI_ARGS.
exec comfy-start run -- "$@"
