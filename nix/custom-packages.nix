/**
  Recipes for distributions without a usable wheel. The default builds a plain sdist with
  setuptools; an entry of `recipes` adds what one distribution needs beyond that.

  Type: AttrSet -> { wheelOf :: AttrSet -> Derivation }
*/
{
  buildSdist,
  # Trees of the wheels that only builds need, by normalized name.
  buildTrees,
  debian,
  # Whether the variant takes sources from git.
  git,
  # The variant's CPython tree.
  interpreter,
  sources,
  # Where extensions of PyTorch are compiled: `cudaToolchain`.
  torch,
  # The variant's package trees by normalized name; build requirements come from here first.
  trees,
}:
let
  # What every build stands on, the bottom one first.
  toolchain = [
    debian.base
    debian.tools
    debian.gcc15
    interpreter
    trees.pip
    trees.setuptools
    trees.wheel
    trees.packaging
  ];

  requirement =
    name:
    trees.${name} or buildTrees.${name}
      or (throw "no lock has the build requirement ${name}; add it to package-lists/build.txt");

  # -D arguments of OpenCV's CMake. Its setup.py asks for the stable ABI, which free-threaded
  # Python does not load. IPP and ADE (for the module gapi) would be downloaded.
  opencvArguments = [
    "-DPYTHON3_LIMITED_API=OFF"
    "-DWITH_IPP=OFF"
    "-DWITH_ADE=OFF"
    "-DBUILD_opencv_gapi=OFF"
    "-DWITH_FFMPEG=ON"
  ];

  # name -> { toolchain ? [ trees ], tools ? [ trees ], buildRequirements ? [ names ], and of
  # `buildSdist`: env, patch, sliceCount, wheelEnv }
  recipes = {
    # One build of all modules serves the four names (`provided` in variants.toml).
    opencv-contrib-python-headless = {
      tools = [ debian.build-opencv ];
      buildRequirements = [
        "distro"
        "numpy"
        "scikit-build"
      ];
      env = {
        ENABLE_CONTRIB = "1";
        ENABLE_HEADLESS = "1";
        CMAKE_ARGS = toString opencvArguments;
      };
      # The first one is the libraries in C; the others take about a quarter of an hour of
      # processor time each.
      sliceCount = 5;
      # Data that it would download. What depends on it, the module xfeatures2d and two objects,
      # is compiled in the last step, so that variants with and without git share the slices.
      wheelEnv =
        if git then
          {
            CMAKE_ARGS = toString (
              opencvArguments ++ [ "-DOPENCV_UNIFONT_URL=file://${sources.gitTree "opencv-unifont"}/" ]
            );
            OPENCV_BOOSTDESC_URL = "file://${sources.gitTree "opencv-boostdesc"}/";
            OPENCV_VGGDESC_URL = "file://${sources.gitTree "opencv-vgg"}/";
          }
        else
          { };
      # The build machine's kernel version would be in cv2.getBuildInformation(). HAVE_UNIFONT
      # in cvconfig.h would compile all objects again; Ninja compares a definition of the one
      # that has the font.
      patch = ''
        sed -i '/HAVE_UNIFONT/d' opencv/cmake/templates/cvconfig.h.in
        sed -i '/^if (HAVE_UNIFONT)/a ocv_append_source_file_compile_definitions(''${CMAKE_CURRENT_SOURCE_DIR}/src/drawing_text.cpp "HAVE_UNIFONT=1")' \
            opencv/modules/imgproc/CMakeLists.txt
        sed -i -E '/status\(" +(Host|Target):"/s/ \$\{CMAKE(_HOST)?_SYSTEM_VERSION\}//' opencv/CMakeLists.txt
      '';
    };

    dlib = {
      env = {
        DLIB_NO_GUI_SUPPORT = "ON";
        # With CUDA its CMake compiles for the build machine's device alone.
        DLIB_USE_CUDA = "OFF";
      };
      # Else it asks the build machine's processor. Every host of a CUDA 13 device has AVX.
      patch = ''
        sed -i '1i set(SSE4_IS_AVAILABLE_ON_HOST 1)\nset(AVX_IS_AVAILABLE_ON_HOST 1)' \
            tools/python/CMakeLists.txt
      '';
    };

    # The command `test` left setuptools with version 72.
    ffmpy.patch = "sed -i '/setuptools.command.test/d' setup.py";

    sam-2 = {
      inherit (torch) toolchain;
      env = torch.environment // {
        # A failed extension is an error, not a warning.
        SAM2_BUILD_ALLOW_ERRORS = "0";
      };
    };
  };

  plain = {
    inherit toolchain;
    tools = [ ];
    buildRequirements = [ ];
    env = { };
    patch = "";
    sliceCount = 0;
    wheelEnv = { };
  };
in
{
  inherit recipes toolchain;

  /**
    The tree of a build requirement, by normalized name.
  */
  inherit requirement;

  /**
    The derivation that holds the one wheel of a locked sdist or git tree.
  */
  wheelOf =
    package:
    let
      recipe = plain // (recipes.${package.name} or { });
    in
    buildSdist {
      pname = package.name;
      inherit (package) version;
      source = if package.kind == "git" then sources.gitTree package.name else sources.pypiFile package;
      lowers = recipe.toolchain ++ recipe.tools ++ map requirement recipe.buildRequirements;
      inherit (recipe)
        env
        patch
        sliceCount
        wheelEnv
        ;
    };
}
