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
    base     sha256:b7a6e4a3d2c927b108dc5692a30d9f6062311b6874a4b2a922061f07ef090383
    python   sha256:62d2b6793fba8e78d7c6bd00dc6341c3a2a5be996e0cc814736e2d0f0491a50b
    config   sha256:cfda65288f3397ce2991c691845704f252cda0feec520107d488c6e5c00fe68e
    manifest sha256:f0593d42e8d81bdac2eaaece6d17d9bf6975a2a84c7a12320b8cd5447434d1b1
    docker   sha256:d9d87514ffdc57453c813e107fb90c3dd27b57e5b4a06c7e2956d9ef90afc892
    oci      sha256:ca99a8a1e325cd1bfdebbc75bdf6d85234f5b56cba5a1ab48e3cb4fed986f175
    "
    );
}

#[test]
fn ok_base_layer() {
    let store = Store::new();
    let [base, ..] = small_layers(&store);
    insta::assert_snapshot!(listing(&blob_bytes(&base, 0)), @r##"
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
    insta::assert_snapshot!(image.config.json, @r#"{"architecture":"amd64","config":{"Cmd":["/entrypoint"],"Env":["PATH=/usr/bin"],"Volumes":{"/root":{}},"WorkingDir":"/root"},"created":"1970-01-01T00:00:01Z","history":[{"created":"1970-01-01T00:00:01Z","created_by":"layer 01-base"},{"created":"1970-01-01T00:00:01Z","created_by":"layer 03-python"}],"os":"linux","rootfs":{"diff_ids":["sha256:b7a6e4a3d2c927b108dc5692a30d9f6062311b6874a4b2a922061f07ef090383","sha256:62d2b6793fba8e78d7c6bd00dc6341c3a2a5be996e0cc814736e2d0f0491a50b"],"type":"layers"}}"#);
    insta::assert_snapshot!(image.manifest.json, @r#"{"config":{"digest":"sha256:cfda65288f3397ce2991c691845704f252cda0feec520107d488c6e5c00fe68e","mediaType":"application/vnd.oci.image.config.v1+json","size":501},"layers":[{"digest":"sha256:b7a6e4a3d2c927b108dc5692a30d9f6062311b6874a4b2a922061f07ef090383","mediaType":"application/vnd.oci.image.layer.v1.tar","size":6656},{"digest":"sha256:62d2b6793fba8e78d7c6bd00dc6341c3a2a5be996e0cc814736e2d0f0491a50b","mediaType":"application/vnd.oci.image.layer.v1.tar","size":11264}],"mediaType":"application/vnd.oci.image.manifest.v1+json","schemaVersion":2}"#);
    insta::assert_snapshot!(image.index_json(&"localhost/other:tag".parse().unwrap()).unwrap(), @r#"{"manifests":[{"annotations":{"io.containerd.image.name":"localhost/other:tag","org.opencontainers.image.ref.name":"tag"},"digest":"sha256:f0593d42e8d81bdac2eaaece6d17d9bf6975a2a84c7a12320b8cd5447434d1b1","mediaType":"application/vnd.oci.image.manifest.v1+json","platform":{"architecture":"amd64","os":"linux"},"size":548}],"mediaType":"application/vnd.oci.image.index.v1+json","schemaVersion":2}"#);
    let archive = members(&docker_archive(&image).unwrap());
    insta::assert_snapshot!(String::from_utf8_lossy(&archive["manifest.json"]), @r#"[{"Config":"cfda65288f3397ce2991c691845704f252cda0feec520107d488c6e5c00fe68e.json","Layers":["b7a6e4a3d2c927b108dc5692a30d9f6062311b6874a4b2a922061f07ef090383/layer.tar","62d2b6793fba8e78d7c6bd00dc6341c3a2a5be996e0cc814736e2d0f0491a50b/layer.tar"],"RepoTags":["comfyui-boot:test"]}]"#);
    for blob in image.blobs() {
        let bytes = &archive[&format!("{}/layer.tar", blob.diff_id.hex())];
        assert_eq!(Digest::of(bytes), blob.diff_id);
        assert_eq!(bytes.len() as u64, blob.size_bytes);
    }
}
