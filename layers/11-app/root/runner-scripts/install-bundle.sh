#!/bin/bash
# Brings /root/ComfyUI to what the image holds, without starting it.
exec comfy-start prepare
