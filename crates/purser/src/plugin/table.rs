//! Tables as plain text: columns side by side, as wide as what stands in them.

/// Where a column's text stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Align {
    /// Text.
    Left,
    /// Numbers.
    Right,
}

/// Rows under a heading.
pub(crate) struct Table {
    columns: Vec<Align>,
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(crate) fn new<const N: usize>(columns: [(&str, Align); N]) -> Self {
        let heading = columns.iter().map(|(name, _)| (*name).to_owned()).collect();
        Self { columns: columns.map(|(_, align)| align).to_vec(), rows: vec![heading] }
    }

    pub(crate) fn row<const N: usize>(&mut self, cells: [String; N]) {
        self.rows.push(Vec::from(cells));
    }

    /// Whether nothing but the heading is in it.
    pub(crate) fn is_empty(&self) -> bool {
        self.rows.len() == 1
    }
}

impl std::fmt::Display for Table {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let width = |text: &str| text.chars().count();
        let column = |index: usize| self.rows.iter().filter_map(move |row| row.get(index)).map(|cell| width(cell));
        let widths: Vec<usize> = (0..self.columns.len()).map(|index| column(index).max().unwrap_or(0)).collect();
        for row in &self.rows {
            let mut line = String::new();
            for ((cell, align), widest) in row.iter().zip(&self.columns).zip(&widths) {
                let space = " ".repeat(widest.saturating_sub(width(cell)));
                match align {
                    Align::Left => line.extend([cell, space.as_str(), "  "]),
                    Align::Right => line.extend([space.as_str(), cell, "  "]),
                }
            }
            writeln!(f, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_stand_below_one_another() {
        let mut table = Table::new([("event", Align::Left), ("credits", Align::Right)]);
        assert!(table.is_empty());
        table.row(["chat für alle".to_owned(), "0.5".to_owned()]);
        table.row(["call".to_owned(), String::new()]);
        assert_eq!(table.to_string(), "event          credits\nchat für alle      0.5\ncall\n");
    }
}
