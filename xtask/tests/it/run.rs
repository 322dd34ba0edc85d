//! `run`: the container's command line.

use std::process::Command;

#[test]
fn ok_command_lines() {
    let line = |arguments: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_xtask"))
            .args(["run", "--dry-run", "--image", "comfyui-boot:test"])
            .args(arguments)
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let all = [
        line(&["--engine", "docker"]),
        line(&[
            "--engine", "podman", "--port", "9000", "--models", "/models",
        ]),
        line(&[
            "--engine",
            "podman",
            "--cpu",
            "--storage",
            "/mine",
            "--",
            "--fast",
            "--verbose",
        ]),
    ];
    insta::assert_snapshot!(all.concat(), @r"
    docker run --rm --publish=127.0.0.1:8188:8188 --volume=storage:/root --security-opt=no-new-privileges --gpus=all comfyui-boot:test bash /runner-scripts/entrypoint.sh
    podman run --rm --publish=127.0.0.1:9000:8188 --volume=storage:/root --security-opt=no-new-privileges --volume=/models:/root/ComfyUI/models --device=nvidia.com/gpu=all comfyui-boot:test bash /runner-scripts/entrypoint.sh
    podman run --rm --publish=127.0.0.1:8188:8188 --volume=/mine:/root --security-opt=no-new-privileges comfyui-boot:test bash /runner-scripts/entrypoint.sh --cpu --fast --verbose
    ");
}
