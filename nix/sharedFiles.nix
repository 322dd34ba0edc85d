/**
  Large files that two distributions ship with the same bytes: the image holds them once,
  the second place is a link (docs/design/D08-one-copy-of-cuda.md). The build compares the
  bytes, so an entry that a new version makes wrong fails with a message that names it.

  Type: sharedFiles :: AttrSet -> String -> AttrSet
*/
{
  byName,
  # Tree of a CUDA wheel's files.
  cudaTreeOf,
  sitePackages,
  # Package trees by name.
  trees,
}:
let
  toolkit = owner: path: {
    target = "/usr/local/cuda-13.0/${path}";
    copy = "${cudaTreeOf byName.${owner}}/root/usr/local/cuda-13.0/${path}";
  };
  library = owner: path: {
    target = "${sitePackages}/${path}";
    copy = "${trees.${owner}}/root${sitePackages}/${path}";
  };
  # Template previews that two packages of ComfyUI's templates both carry.
  templates =
    package: owner: files:
    builtins.listToAttrs (
      map (file: {
        name = "${package}/templates/${file}";
        value = library owner.name "${owner.package}/templates/${file}";
      }) files
    );
  video = {
    name = "comfyui-workflow-templates-media-video";
    package = "comfyui_workflow_templates_media_video";
  };
  other = {
    name = "comfyui-workflow-templates-media-other";
    package = "comfyui_workflow_templates_media_other";
  };
  shared = {
    torchvision."torchvision.libs/libnvjpeg.36e11081.so.13" =
      toolkit "nvidia-nvjpeg" "lib/libnvjpeg.so.13";
    torch."torch/bin/ptxas" = toolkit "nvidia-cuda-nvcc" "bin/ptxas";
    av."av.libs/libXau-154567c4.so.6.0.0" = library "pillow" "pillow.libs/libXau-154567c4.so.6.0.0";
    comfyui-workflow-templates-media-api =
      templates "comfyui_workflow_templates_media_api" video [
        "api_google_gemini_omni_flash_i2v-1.webp"
        "api_google_gemini_omni_flash_t2v-1.webp"
        "api_google_gemini_omni_flash_video_edit-1.webp"
        "api_google_gemini_omni_flash_video_edit-2.webp"
        "api_kling_motion_control3-1.webp"
      ]
      // templates "comfyui_workflow_templates_media_api" other [
        "api_bytedance_seedance1_5_image_to_video-1.webp"
        "api_bytedance_seedance1_5_text_to_video-1.webp"
      ];
    comfyui-workflow-templates-media-image = templates "comfyui_workflow_templates_media_image" video [
      "video_ltx2_i2v_lora-1.webp"
    ];
    comfyui-workflow-templates-media-other."comfyui_workflow_templates_media_other/templates/utility-bria_remove_video_background-2.webp" =
      library video.name "${video.package}/templates/api_kling_o3_video_edit-2.webp";
  };
in
# Normalized name of the distribution.
name: shared.${name} or { }
