{ locks, root }:
let
  # Names of the files that wheels share or leave out, in any variant.
  names = map baseNameOf (
    builtins.concatMap (
      name:
      builtins.concatMap (
        package:
        builtins.concatMap (file: [
          file.path
          file.owner_path
        ]) (package.shared or [ ])
      ) locks.python.${name}.package
    ) (builtins.attrNames locks.variants)
    ++ builtins.concatMap (entry: entry.paths) locks.leftOut
  );
  # Files below `nix/`, but for the tests, whose text has one of them.
  textOf =
    directory:
    builtins.concatMap (
      file:
      if (builtins.readDir directory).${file} == "regular" then
        [ (builtins.readFile (directory + "/${file}")) ]
      else
        [ ]
    ) (builtins.attrNames (builtins.readDir directory));
  text = builtins.concatStringsSep "\n" (textOf (root + "/nix") ++ textOf (root + "/nix/scripts"));
  # As the end of a path: `ptxas` is also a part of a flag.
  isIn = name: builtins.replaceStrings [ "/${name}" ] [ "" ] text != text;
  byName = {
    nvidia-nvjpeg = {
      name = "nvidia-nvjpeg";
      layer = "01-cuda";
      shared = [
        {
          path = "lib/libnvjpeg.so";
          owner = "nvidia-nvjpeg";
          owner_path = "lib/libnvjpeg.so.13";
        }
      ];
    };
    pillow = {
      name = "pillow";
      layer = "04-pytorch";
    };
    torchvision = {
      name = "torchvision";
      layer = "04-pytorch";
      shared = [
        {
          path = "torchvision.libs/libnvjpeg.36e11081.so.13";
          owner = "nvidia-nvjpeg";
          owner_path = "lib/libnvjpeg.so.13";
        }
        {
          path = "torchvision.libs/libXau-1.so.6";
          owner = "pillow";
          owner_path = "pillow.libs/libXau-1.so.6";
        }
      ];
    };
  };
  sharedFiles = import ../sharedFiles.nix {
    inherit byName;
    cudaTreeOf = package: "/store/${package.name}-cuda";
    isCuda = package: package.layer == "01-cuda";
    sitePackages = "/site-packages";
    trees.pillow = "/store/pillow";
  };
in
{
  "sharedFiles.linksGoToTheToolkitAndToOtherPackages" = {
    expr = sharedFiles byName.torchvision;
    expected = {
      "torchvision.libs/libnvjpeg.36e11081.so.13" = {
        target = "/usr/local/cuda-13.0/lib/libnvjpeg.so.13";
        copy = "/store/nvidia-nvjpeg-cuda/root/usr/local/cuda-13.0/lib/libnvjpeg.so.13";
      };
      "torchvision.libs/libXau-1.so.6" = {
        target = "/site-packages/pillow.libs/libXau-1.so.6";
        copy = "/store/pillow/root/site-packages/pillow.libs/libXau-1.so.6";
      };
    };
  };
  # Else its tree would be an input of itself.
  "sharedFiles.ofItsOwnWheelAPackageKnowsThePlaceOnly" = {
    expr = sharedFiles byName.nvidia-nvjpeg;
    expected."lib/libnvjpeg.so".target = "/usr/local/cuda-13.0/lib/libnvjpeg.so.13";
  };
  # An upgrade is data: lists and locks know them.
  "sharedFiles.nixNamesNoFileOfAWheel" = {
    expr = {
      found = builtins.filter isIn names;
      some = names != [ ];
    };
    expected = {
      found = [ ];
      some = true;
    };
  };
  "sharedFiles.nothingToShare" = {
    expr = sharedFiles byName.pillow;
    expected = { };
  };
}
