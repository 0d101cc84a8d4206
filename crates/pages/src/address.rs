//! What of the credits page is in its address: the window, what the chart and the breakdowns show, and where in the log
//! the reader is. One value is read from a query and written to every link of the page, so that no link loses what
//! another set.

use form_urlencoded::{Serializer, parse};

/// How far back log, chart and breakdowns go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Window {
    /// A week, today included.
    Week,
    /// Thirty days, today included.
    #[default]
    Month,
    /// Ninety days, today included.
    Quarter,
    /// All of it.
    All,
}

impl Window {
    pub(crate) const EACH: [Self; 4] = [Self::Week, Self::Month, Self::Quarter, Self::All];

    /// The window as it is in addresses, here and in the HTTP interface.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Week => "7d",
            Self::Month => "30d",
            Self::Quarter => "90d",
            Self::All => "all",
        }
    }

    pub(crate) const fn label(self) -> &'static str {
        match self {
            Self::Week => "7 days",
            Self::Month => "30 days",
            Self::Quarter => "90 days",
            Self::All => "All",
        }
    }
}

/// What the chart's bars are stacked of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Grouping {
    /// Models.
    #[default]
    Model,
    /// Agents.
    Agent,
}

impl Grouping {
    /// The grouping as it is in addresses.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Model => "model",
            Self::Agent => "agent",
        }
    }
}

/// A column of a breakdown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SortBy {
    /// The name.
    Name,
    /// Credits, and so the share.
    Credits,
    /// How many events.
    Events,
    /// Credits of one event.
    Cost,
}

impl SortBy {
    pub(crate) const EACH: [Self; 4] = [Self::Name, Self::Credits, Self::Events, Self::Cost];

    const fn code(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::Credits => "credits",
            Self::Events => "events",
            Self::Cost => "cost",
        }
    }
}

/// The order of a breakdown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sort {
    /// By what.
    pub by: SortBy,
    /// Whether the smallest comes first.
    pub is_ascending: bool,
}

impl Default for Sort {
    fn default() -> Self {
        Self { by: SortBy::Credits, is_ascending: false }
    }
}

impl Sort {
    /// What choosing a column comes to: its own order first, and the other way where it was chosen already.
    pub(crate) fn chosen(self, by: SortBy) -> Self {
        let is_ascending = if self.by == by { !self.is_ascending } else { by == SortBy::Name };
        Self { by, is_ascending }
    }

    fn text(self) -> String {
        format!("{}{}", if self.is_ascending { "" } else { "-" }, self.by.code())
    }

    fn of(text: &str) -> Option<Self> {
        let (is_ascending, name) = text.strip_prefix('-').map_or((true, text), |name| (false, name));
        let by = SortBy::EACH.into_iter().find(|by| by.code() == name)?;
        Some(Self { by, is_ascending })
    }
}

/// A breakdown, whose order is in the address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Breakdown {
    /// By model.
    Models,
    /// By agent.
    Agents,
}

/// Which kind of activity the log shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KindFilter {
    /// Chat messages.
    Chat,
    /// Voice calls.
    Voice,
    /// Other activities that cost credits.
    Other,
    /// What came in by other ways than a refund: grants, purchases, transfers.
    Added,
}

impl KindFilter {
    pub(crate) const EACH: [Self; 4] = [Self::Chat, Self::Voice, Self::Other, Self::Added];

    /// The filter as it is in addresses.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Chat => "chat",
            Self::Voice => "voice",
            Self::Other => "other",
            Self::Added => "added",
        }
    }

    pub(crate) const fn label(self) -> &'static str {
        match self {
            Self::Chat => "Chat",
            Self::Voice => "Voice",
            Self::Other => "Other use",
            Self::Added => "Credits added",
        }
    }
}

/// The address of a credits page, behind its path.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Address {
    /// `window`: how far back.
    pub window: Window,
    /// `by`: what the bars are stacked of.
    pub by: Grouping,
    /// `models`: the order of the breakdown by model.
    pub models: Sort,
    /// `agents`: the order of the breakdown by agent.
    pub agents: Sort,
    /// `q`: what the log is searched for.
    pub search: Option<String>,
    /// `kind`: the only kind of activity that the log shows.
    pub kind: Option<KindFilter>,
    /// `model`: the only model that the log shows.
    pub model: Option<String>,
    /// `agent`: the only agent that the log shows.
    pub agent: Option<String>,
    /// `before`: the log begins behind the entry of this sequence. It names an entry and not a number of rows, so that a
    /// reader keeps their place while new ones come.
    pub before: Option<u64>,
}

impl Address {
    /// Reads a query, without its question mark. What it does not know is left out, since addresses are typed and old
    /// ones kept.
    pub fn parse(query: &str) -> Self {
        let mut address = Self::default();
        for (name, value) in parse(query.as_bytes()) {
            let text = || Some(value.trim().to_owned()).filter(|text| !text.is_empty());
            match &*name {
                "window" => {
                    address.window = Window::EACH.into_iter().find(|w| w.code() == value).unwrap_or_default();
                }
                "by" if value == Grouping::Agent.code() => address.by = Grouping::Agent,
                "models" => address.models = Sort::of(&value).unwrap_or_default(),
                "agents" => address.agents = Sort::of(&value).unwrap_or_default(),
                "q" => address.search = text(),
                "kind" => address.kind = KindFilter::EACH.into_iter().find(|kind| kind.code() == value),
                "model" => address.model = text(),
                "agent" => address.agent = text(),
                "before" => address.before = value.parse().ok(),
                _ => {}
            }
        }
        address
    }

    /// The query with its question mark; what is as usual is left out, and the window never.
    pub fn query(&self) -> String {
        let mut out = Serializer::for_suffix(String::from("?"), 1);
        for (name, value) in self.fields() {
            out.append_pair(name, &value);
        }
        out.finish()
    }

    /// The query's fields.
    pub(crate) fn fields(&self) -> Vec<(&'static str, String)> {
        let changed = |sort: Sort| Some(sort.text()).filter(|_| sort != Sort::default());
        let fields = [
            ("window", Some(self.window.code().to_owned())),
            ("by", Some(self.by.code().to_owned()).filter(|_| self.by != Grouping::default())),
            ("models", changed(self.models)),
            ("agents", changed(self.agents)),
            ("q", self.search.clone()),
            ("kind", self.kind.map(|kind| kind.code().to_owned())),
            ("model", self.model.clone()),
            ("agent", self.agent.clone()),
            ("before", self.before.map(|sequence| sequence.to_string())),
        ];
        fields.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
    }

    /// Whether the log leaves something out of the window.
    pub(crate) fn is_filtered(&self) -> bool {
        self.search.is_some() || self.kind.is_some() || self.model.is_some() || self.agent.is_some()
    }

    /// The address of another window, which has other pages.
    pub(crate) fn in_window(&self, window: Window) -> Self {
        Self { window, before: None, ..self.clone() }
    }

    pub(crate) fn sort(&self, breakdown: Breakdown) -> Sort {
        match breakdown {
            Breakdown::Models => self.models,
            Breakdown::Agents => self.agents,
        }
    }

    pub(crate) fn sorted(&self, breakdown: Breakdown, by: SortBy) -> Self {
        let mut sorted = self.clone();
        let sort = self.sort(breakdown).chosen(by);
        match breakdown {
            Breakdown::Models => sorted.models = sort,
            Breakdown::Agents => sorted.agents = sort,
        }
        sorted
    }

    pub(crate) fn paged(&self, before: Option<u64>) -> Self {
        Self { before, ..self.clone() }
    }

    /// The address without filters.
    pub(crate) fn unfiltered(&self) -> Self {
        Self { window: self.window, by: self.by, models: self.models, agents: self.agents, ..Self::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_reads_back() {
        for query in [
            "?window=30d",
            "?window=7d&by=agent&models=name&agents=-cost",
            "?window=all&q=%22%3E%3Cscript%3E&kind=voice&model=a%26b&agent=%D7%A9&before=812",
        ] {
            assert_eq!(Address::parse(&query[1..]).query(), query);
        }
    }

    #[test]
    fn what_is_not_known_is_left_out() {
        let address = Address::parse("window=1y&by=moon&models=-&before=x&kind=&q=+&model=&utm=1&=&%ff");
        assert_eq!(address, Address::default());
    }

    #[test]
    fn a_column_turns_round() {
        let sort = Sort::default();
        assert_eq!(sort.chosen(SortBy::Credits).text(), "credits");
        assert_eq!(sort.chosen(SortBy::Name).text(), "name");
        assert_eq!(sort.chosen(SortBy::Name).chosen(SortBy::Name).text(), "-name");
        assert_eq!(sort.chosen(SortBy::Cost).text(), "-cost");
    }
}
