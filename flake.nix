{
  description = "The ComfyUI image factory: twelve layers, one image, the same bytes for everyone";

  inputs = {
    factory.url = "path:./nix";
    layer01-base-cuda = {
      url = "path:./layers/01-base-cuda";
      inputs.factory.follows = "factory";
    };
    layer02-python-tools = {
      url = "path:./layers/02-python-tools";
      inputs.factory.follows = "factory";
      inputs.previous.follows = "layer01-base-cuda";
    };
    layer03-gcc15 = {
      url = "path:./layers/03-gcc15";
      inputs.factory.follows = "factory";
      inputs.previous.follows = "layer02-python-tools";
    };
    layer04-pytorch = {
      url = "path:./layers/04-pytorch";
      inputs.factory.follows = "factory";
      inputs.previous.follows = "layer03-gcc15";
    };
    layer05-pak3 = {
      url = "path:./layers/05-pak3";
      inputs.factory.follows = "factory";
      inputs.previous.follows = "layer04-pytorch";
    };
    layer06-cupy = {
      url = "path:./layers/06-cupy";
      inputs.factory.follows = "factory";
      inputs.previous.follows = "layer05-pak3";
    };
    layer07-pak5 = {
      url = "path:./layers/07-pak5";
      inputs.factory.follows = "factory";
      inputs.previous.follows = "layer06-cupy";
    };
    layer08-pak7 = {
      url = "path:./layers/08-pak7";
      inputs.factory.follows = "factory";
      inputs.previous.follows = "layer07-pak5";
    };
    layer09-sam = {
      url = "path:./layers/09-sam";
      inputs.factory.follows = "factory";
      inputs.previous.follows = "layer08-pak7";
    };
    layer10-performance = {
      url = "path:./layers/10-performance";
      inputs.factory.follows = "factory";
      inputs.previous.follows = "layer09-sam";
    };
    layer11-app = {
      url = "path:./layers/11-app";
      inputs.factory.follows = "factory";
      inputs.previous.follows = "layer10-performance";
    };
    layer12-comfyui = {
      url = "path:./layers/12-comfyui";
      inputs.factory.follows = "factory";
      inputs.previous.follows = "layer11-app";
    };
  };

  # Names first: Nix resolves relative inputs through the flake's own outputs.
  outputs = inputs: {
    inherit (inputs.factory.lib.mkRootFlake inputs)
      apps
      checks
      devShells
      legacyPackages
      packages
      ;
  };
}
