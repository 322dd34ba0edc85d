//! `sbom`: what is in an image, as a bill of materials for other programs.

use anyhow::Result;

use crate::cli::{SbomArgs, SbomFormat};
use crate::ctx::Ctx;
use crate::inventory;
use crate::select;
use factory_base::fs;
use factory_nix::Nix;
use factory_origin::{Inventory, cyclonedx, spdx};

pub(super) fn run(ctx: &Ctx, args: &SbomArgs) -> Result<()> {
    let variant = select::variant(ctx, &args.variant)?;
    let layer = select::layer(ctx, &args.layer)?;
    let nix = Nix::find_or_provide(ctx)?;
    let plan = variant.plan(ctx, &nix)?;
    let (inventory, is_built) = inventory::of_image(ctx, &nix, &plan, &variant, &layer)?;
    if !is_built {
        ctx.ui.warn(format!(
            "licences are not known before the image is built: `cargo xtask build {} {}`",
            layer.short(),
            variant.arguments()
        ));
    }
    let text = text(&inventory, args.format)?;
    let Some(path) = &args.output else {
        return Ok(ctx.ui.data(text.trim_end())?);
    };
    fs::write_atomic(&std::path::absolute(path)?, text.as_bytes())?;
    ctx.ui.step(
        "Wrote",
        format!(
            "{}: {} packages, {} of them without a licence",
            path.display(),
            inventory.components.len(),
            inventory.n_without_licence()
        ),
    );
    Ok(())
}

fn text(inventory: &Inventory, format: SbomFormat) -> Result<String> {
    Ok(match format {
        SbomFormat::Spdx => spdx::Document::new(inventory).text()?,
        SbomFormat::Cyclonedx => cyclonedx::Bom::new(inventory).text()?,
    })
}
