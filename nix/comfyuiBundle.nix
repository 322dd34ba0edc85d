/**
  ComfyUI, its custom nodes and the weights of its previews, as they lie in the image under
  `/default-comfyui-bundle`.

  Type: comfyuiBundle :: { locks, runCommand, sources } -> AttrSet -> AttrSet
*/
{
  locks,
  runCommand,
  sources,
}:
# A variant.
{
  byteCode,
  definition,
  lock,
  packageLists,
  ...
}:
let
  comfyui = "/default-comfyui-bundle/ComfyUI";
  git = locks.sources.git;
  bundled = map (tree: tree.name) (lock.bundle or [ ]);
  nodes = builtins.filter (name: git.${name}.kind == "custom-node") bundled;

  # Copies a source to where the image has it.
  placed =
    name: directory: script: env:
    runCommand name (env // { inherit directory; }) ''
      target=$out/root$directory
      mkdir -p "$target"
      ${script}
    '';
  # Byte code goes into the volume too, where people edit: it is used only for the very source.
  gitEntry =
    name: directory:
    let
      tree = placed "${name}-bundle" directory ''cp -r "$source/." "$target"'' {
        source = sources.gitTree name;
      };
    in
    {
      package = "${name} ${builtins.substring 0 12 git.${name}.rev}";
      path = "${tree}";
      byteCode = "${byteCode {
        pname = name;
        version = builtins.substring 0 12 git.${name}.rev;
        inherit directory tree;
      }}";
    };

  directoryOf =
    name:
    if git.${name}.kind == "comfyui" then
      comfyui
    else
      "${comfyui}/custom_nodes/${git.${name}.install_dir}";

  weightsEntry =
    name:
    let
      inherit (locks.sources.weights.${name}) directory;
      files = sources.weights name;
      fileNames = builtins.attrNames files;
    in
    {
      package = name;
      path = "${placed "${name}-bundle" "${comfyui}/models/${directory}"
        ''
          set -- $fileNames
          for source in $files; do
            cp "$source" "$target/$1"
            shift
          done
        ''
        {
          inherit fileNames;
          files = map (file: files.${file}) fileNames;
        }
      }";
    };

  bundleEntries =
    map (name: gitEntry name (directoryOf name)) bundled
    ++ map weightsEntry (if definition.git then builtins.attrNames locks.sources.weights else [ ]);

  # What people and checks want to know of the bundle, beside it.
  about =
    let
      node =
        name:
        let
          source = git.${name};
        in
        {
          inherit name;
          inherit (source) install_dir url rev;
        }
        // (if source ? import_fails then { inherit (source) import_fails; } else { });
      omittedGit = definition.omittedGit or [ ];
    in
    {
      package = "comfyui-bundle-about";
      path = "${placed "comfyui-bundle-about" "/default-comfyui-bundle"
        ''
          cp "$nodesPath" "$target/nodes.json"
          printf '%s\n' $pins >"$target/constraints.txt"
          if [ -n "$omitted" ]; then printf '%s\n' "$omitted" >"$target/omitted.txt"; fi
          printf '%s\n' $contents >"$target/bundle-id"
        ''
        {
          nodes = builtins.toJSON (map node nodes);
          omitted = builtins.concatStringsSep " " omittedGit;
          # What the volume is compared with: it changes with every tree of the bundle.
          contents = map (path: builtins.baseNameOf (builtins.unsafeDiscardStringContext path)) (
            builtins.concatMap (
              entry: [ entry.path ] ++ (if entry ? byteCode then [ entry.byteCode ] else [ ])
            ) bundleEntries
          );
          pins = map (name: "${name}==${packageLists.byName.${name}.version}") (
            builtins.filter (name: packageLists.byName ? ${name}) [
              "torch"
              "torchaudio"
              "torchvision"
            ]
          );
          passAsFile = [ "nodes" ];
        }
      }";
    };
in
{
  /**
    The home directory and volume, which any `--user` may write: an anonymous volume takes its
    mode from here.
  */
  homeEntry = {
    package = "home-directory";
    path = "${placed "home-directory" "/root" ''echo "1777 root" >"$out/modes"'' { }}";
  };

  /**
    The revision that is cloned at the first start where the bundle holds no ComfyUI.
  */
  revisionEntry = {
    package = "comfyui-revision";
    path = "${placed "comfyui-revision" "/default-comfyui-bundle"
      ''echo "$rev" >"$target/comfyui-revision"''
      { inherit (git.comfyui) rev; }
    }";
  };

  /**
    Entries (package and path) of layer 12.
  */
  entries = bundleEntries ++ [ about ];
}
