//! The look that all pages share: those of the gate, of the market and of the exchange. `scripts/pages.mjs` copies the same files
//! beside the desks.

/// The style sheet: light and dark, for screens of 360 pixels and more.
pub const STYLE: &str = include_str!("page/style.css");

/// The icon, as an element of a page's head: in the page, so that no server is asked for `/favicon.ico`.
/// The page's policy has to let pictures in by `data:`.
pub const ICON: &str = concat!(
    "<link rel=\"icon\" type=\"image/svg+xml\" href=\"data:image/svg+xml,",
    include_str!("page/icon.svg"),
    "\">"
);

#[cfg(test)]
mod tests {
    use super::ICON;

    #[test]
    fn the_icon_stays_in_its_attribute_and_in_its_url() {
        let (_, picture) = ICON.split_once("data:image/svg+xml,").unwrap();
        let picture = picture.strip_suffix("\">").unwrap();
        assert!(picture.starts_with("<svg xmlns='http://www.w3.org/2000/svg'"), "{picture}");
        assert!(picture.trim_end().ends_with("</svg>"), "{picture}");
        assert!(!picture.contains(['"', '#', '%', '&']), "{picture}");
    }
}
