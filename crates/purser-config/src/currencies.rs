//! How finely a currency is divided, by ISO 4217: nobody can pay half a cent.

/// The currencies that are not divided into hundredths, by how many decimals they have.
const NOT_TWO: [(usize, &[&str]); 3] = [
    (
        0,
        &[
            "BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "UYI", "VND", "VUV", "XAF",
            "XOF", "XPF",
        ],
    ),
    (3, &["BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"]),
    (4, &["CLF", "UYW"]),
];

/// How many decimals an amount of a currency has at most; 2 where nothing else is known of it.
pub(crate) fn decimals(currency: &str) -> usize {
    let found = NOT_TWO.iter().find(|(_, currencies)| currencies.contains(&currency));
    found.map_or(2, |(decimals, _)| *decimals)
}

/// Why a price is none of the currency.
pub(crate) fn too_fine(price: &str, currency: &str) -> String {
    match decimals(currency) {
        0 => format!("\"{price}\" has decimals, and {currency} has none"),
        decimals => format!("\"{price}\" has more decimals than the {decimals} of {currency}"),
    }
}
