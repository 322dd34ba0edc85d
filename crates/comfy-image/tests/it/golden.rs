//! Exact digests of a tiny image. A change here changes every image that was ever published.

use comfy_image::Digest;
use comfy_image::stream::write_oci_archive;

use crate::fixture::{Store, blob_bytes, docker_archive, listing, members, spec};

fn small_layers(store: &Store) -> [comfy_image::layer::LayerSpec; 3] {
    let base = store
        .tree("base 1")
        .file("etc/hosts", "localhost\n")
        .executable("usr/bin/su", "#!/bin/sh\n")
        .dir("tmp")
        .dir("var/empty")
        .link("bin", "usr/bin")
        .modes("4755 usr/bin/su\n1777 tmp\n");
    let python = store
        .tree("python 3")
        .file(
            &format!("usr/lib/{}/é.py", "long-name/".repeat(12)),
            "pass\n",
        )
        .link("usr/bin/python", "/usr/bin/python3");
    [
        spec("01-base", &[&base]),
        spec("02-empty", &[]),
        spec("03-python", &[&python]),
    ]
}

#[test]
fn ok_every_digest() {
    let store = Store::new();
    let specs = small_layers(&store);
    let image = store.image(&specs);
    let mut oci_archive = Vec::new();
    write_oci_archive(&image, None, None, &mut oci_archive, &|_| ()).unwrap();
    insta::assert_snapshot!(
        format!(
            "base     {}\npython   {}\nconfig   {}\nmanifest {}\ndocker   {}\noci      {}",
            specs[0].blobs[0].diff_id,
            specs[2].blobs[0].diff_id,
            image.config.digest,
            image.manifest.digest,
            Digest::of(&docker_archive(&image).unwrap()),
            Digest::of(&oci_archive),
        ),
        @"
    base     sha256:732f52d1d7250dbc19f305bef15dd8d1e02b0f1680eb57a50707820e6ec96274
    python   sha256:9de3127bbbc92d2aa30a1ab735b0d47fe98c49eab8677e01a7f95de3d701b9a1
    config   sha256:bd87f63163bcefb2cb2c034628f55ac7b971ffdd255289de32694bb17f04dc53
    manifest sha256:36e688657466182ad516943dac04cefb5e76f1349922c349cb8f5dfa56a60fab
    docker   sha256:d4f36f9a0029a9a8f6113879c033aa03dd57210f95818d951fab1fb603c74b18
    oci      sha256:7696823867582e2fbb7bbd49a8adb2a1ca096f048f057e52c2df0e8e358fad98
    "
    );
}

#[test]
fn ok_base_layer() {
    let store = Store::new();
    let [base, ..] = small_layers(&store);
    insta::assert_snapshot!(listing(&blob_bytes(&base, 0)), @r##"
    d 0755 /
    l 0777 bin -> usr/bin
    d 0755 etc/
    - 0644 etc/hosts "localhost\n"
    d 1777 tmp/
    d 0755 usr/
    d 0755 usr/bin/
    - 4755 usr/bin/su "#!/bin/sh\n"
    d 0755 var/
    d 0755 var/empty/
    "##);
}

#[test]
fn ok_documents() {
    let store = Store::new();
    let specs = small_layers(&store);
    let image = store.image(&specs);
    assert_eq!(image.layers.len(), 3);
    assert!(image.layers[1].blobs.is_empty());
    insta::assert_snapshot!(image.config.json, @r#"{"architecture":"amd64","config":{"Cmd":["/entrypoint"],"Env":["PATH=/usr/bin"],"Volumes":{"/root":{}},"WorkingDir":"/root"},"created":"1970-01-01T00:00:01Z","history":[{"created":"1970-01-01T00:00:01Z","created_by":"layer 01-base"},{"created":"1970-01-01T00:00:01Z","created_by":"layer 03-python"}],"os":"linux","rootfs":{"diff_ids":["sha256:732f52d1d7250dbc19f305bef15dd8d1e02b0f1680eb57a50707820e6ec96274","sha256:9de3127bbbc92d2aa30a1ab735b0d47fe98c49eab8677e01a7f95de3d701b9a1"],"type":"layers"}}"#);
    insta::assert_snapshot!(image.manifest.json, @r#"{"config":{"digest":"sha256:bd87f63163bcefb2cb2c034628f55ac7b971ffdd255289de32694bb17f04dc53","mediaType":"application/vnd.oci.image.config.v1+json","size":501},"layers":[{"annotations":{"io.comfyui-boot.inputs":"sha256:a94fb894874301671dd6ee532ba7268f2c599d43993923f00adf04f444d6f74e","io.comfyui-boot.layer":"01-base","io.comfyui-boot.packages":"base 1"},"digest":"sha256:732f52d1d7250dbc19f305bef15dd8d1e02b0f1680eb57a50707820e6ec96274","mediaType":"application/vnd.oci.image.layer.v1.tar","size":7168},{"annotations":{"io.comfyui-boot.inputs":"sha256:32ba99d2ad811190fe5236097d6a3692e91bba090798b90f26e7150e4bfeb2a6","io.comfyui-boot.layer":"03-python","io.comfyui-boot.packages":"python 3"},"digest":"sha256:9de3127bbbc92d2aa30a1ab735b0d47fe98c49eab8677e01a7f95de3d701b9a1","mediaType":"application/vnd.oci.image.layer.v1.tar","size":11776}],"mediaType":"application/vnd.oci.image.manifest.v1+json","schemaVersion":2}"#);
    insta::assert_snapshot!(image.index_json(&"localhost/other:tag".parse().unwrap()).unwrap(), @r#"{"manifests":[{"annotations":{"io.containerd.image.name":"localhost/other:tag","org.opencontainers.image.ref.name":"tag"},"digest":"sha256:36e688657466182ad516943dac04cefb5e76f1349922c349cb8f5dfa56a60fab","mediaType":"application/vnd.oci.image.manifest.v1+json","platform":{"architecture":"amd64","os":"linux"},"size":922}],"mediaType":"application/vnd.oci.image.index.v1+json","schemaVersion":2}"#);
    let archive = members(&docker_archive(&image).unwrap());
    insta::assert_snapshot!(String::from_utf8_lossy(&archive["manifest.json"]), @r#"[{"Config":"bd87f63163bcefb2cb2c034628f55ac7b971ffdd255289de32694bb17f04dc53.json","Layers":["732f52d1d7250dbc19f305bef15dd8d1e02b0f1680eb57a50707820e6ec96274/layer.tar","9de3127bbbc92d2aa30a1ab735b0d47fe98c49eab8677e01a7f95de3d701b9a1/layer.tar"],"RepoTags":["comfyui-boot:test"]}]"#);
    for blob in image.blobs() {
        let bytes = &archive[&format!("{}/layer.tar", blob.diff_id.hex())];
        assert_eq!(Digest::of(bytes), blob.diff_id);
        assert_eq!(bytes.len() as u64, blob.size_bytes);
    }
}
