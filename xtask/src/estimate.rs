//! What a build would take, in words.

use factory_base::text;
use factory_nix::Estimate;

/// `12 builds (4 CUDA objects), at least 4m10s by earlier runs (3 never measured)`.
pub(crate) fn text(estimate: Estimate) -> String {
    let Estimate {
        n_builds,
        n_unmeasured,
        n_measured_elsewhere,
        n_objects,
        seconds: wall,
    } = estimate;
    let mut builds = text::count(n_builds, "build");
    if n_objects > 0 {
        builds.push_str(&format!(" ({})", text::count(n_objects, "CUDA object")));
    }
    let notes = [
        (n_measured_elsewhere, "measured on another machine"),
        (n_unmeasured, "never measured"),
    ];
    let notes = notes.into_iter().filter(|(count, _)| *count > 0);
    let notes: Vec<String> = notes
        .map(|(count, what)| format!("{count} {what}"))
        .collect();
    let notes = match notes.as_slice() {
        [] => String::new(),
        some => format!(" ({})", some.join(", ")),
    };
    match (n_builds, n_unmeasured) {
        (0, _) => "nothing to build".to_owned(),
        (_, n) if n == n_builds => format!("{builds}, none measured here before"),
        (_, 0) => format!("{builds}, about {} by earlier runs{notes}", elapsed(wall)),
        (..) => format!(
            "{builds}, at least {} by earlier runs{notes}",
            elapsed(wall)
        ),
    }
}

pub(crate) fn elapsed(seconds: f64) -> String {
    text::elapsed(std::time::Duration::from_secs_f64(seconds.max(0.0)))
}

/// Builds side by side: as asked, else one for each processor, as Nix's `auto` counts.
pub(crate) fn jobs(asked: Option<usize>) -> usize {
    asked.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, Into::into))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ok_estimates_say_what_they_rest_on() {
        let mut estimate = Estimate::default();
        assert_eq!(text(estimate), "nothing to build");
        estimate.n_builds = 73;
        estimate.n_unmeasured = 73;
        assert_eq!(text(estimate), "73 builds, none measured here before");
        estimate.n_objects = 72;
        estimate.n_unmeasured = 1;
        estimate.n_measured_elsewhere = 72;
        estimate.seconds = 7200.0;
        insta::assert_snapshot!(text(estimate), @"73 builds (72 CUDA objects), at least 2h00m by earlier runs (72 measured on another machine, 1 never measured)");
        estimate.n_unmeasured = 0;
        estimate.n_measured_elsewhere = 0;
        insta::assert_snapshot!(text(estimate), @"73 builds (72 CUDA objects), about 2h00m by earlier runs");
    }
}
