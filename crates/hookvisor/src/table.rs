//! Tables of text with lines around their cells.

/// A column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Column {
    /// What stands above it.
    pub(crate) title: String,
    /// Whether its cells stand on its right, as numbers do.
    pub(crate) right: bool,
}

/// The characters that lines are made of: left, between, right and along, for the four kinds of lines; then what stands
/// between cells.
struct Lines {
    top: [&'static str; 4],
    head: [&'static str; 4],
    between: [&'static str; 4],
    bottom: [&'static str; 4],
    cell: &'static str,
}

const DRAWN: Lines = Lines {
    top: ["┌─", "─┬─", "─┐", "─"],
    head: ["╞═", "═╪═", "═╡", "═"],
    between: ["├─", "─┼─", "─┤", "─"],
    bottom: ["└─", "─┴─", "─┘", "─"],
    cell: "│",
};

const PLAIN: Lines = Lines {
    top: ["+-", "-+-", "-+", "-"],
    head: ["+=", "=+=", "=+", "="],
    between: ["+-", "-+-", "-+", "-"],
    bottom: ["+-", "-+-", "-+", "-"],
    cell: "|",
};

/// How a table is drawn.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Drawing {
    /// Whether there are lines.
    pub(crate) border: bool,
    /// Whether the columns have heads.
    pub(crate) header: bool,
    /// Whether the lines are of characters beyond ASCII.
    pub(crate) unicode: bool,
    /// The widest that it may be; cells are cut for it.
    pub(crate) width: Option<usize>,
}

/// The table. A cell may have several lines.
pub(crate) fn table(columns: &[Column], rows: &[Vec<String>], drawing: Drawing) -> String {
    let lines = if drawing.unicode { &DRAWN } else { &PLAIN };
    let widths = widths(columns, rows, drawing);
    let rule = |[left, between, right, along]: [&str; 4]| {
        let parts: Vec<String> = widths.iter().map(|width| along.repeat(*width)).collect();
        format!("{left}{}{right}\n", parts.join(between))
    };
    let mut text = String::new();
    let put = |text: &mut String, cells: &[String]| {
        let cells: Vec<Vec<&str>> = cells.iter().map(|cell| cell.trim_end().split('\n').collect()).collect();
        let height = cells.iter().map(Vec::len).max().unwrap_or(0);
        for at in 0..height {
            let parts: Vec<String> = cells
                .iter()
                .zip(&widths)
                .zip(columns)
                .map(|((cell, width), column)| padded(cell.get(at).unwrap_or(&""), *width, column.right))
                .collect();
            if drawing.border {
                let cell = lines.cell;
                text.push_str(&format!("{cell} {} {cell}\n", parts.join(&format!(" {cell} "))));
            } else {
                text.push_str(parts.join(" ").trim_end());
                text.push('\n');
            }
        }
    };
    let rules = |text: &mut String, ends: [&str; 4]| {
        if drawing.border {
            text.push_str(&rule(ends));
        }
    };
    rules(&mut text, lines.top);
    if drawing.header {
        let titles: Vec<String> = columns.iter().map(|column| column.title.clone()).collect();
        put(&mut text, &titles);
        rules(&mut text, lines.head);
    }
    for (at, row) in rows.iter().enumerate() {
        if at > 0 {
            rules(&mut text, lines.between);
        }
        put(&mut text, row);
    }
    rules(&mut text, lines.bottom);
    text
}

/// The width of each column. Where the whole is too wide, the widest give way, though not below ten.
fn widths(columns: &[Column], rows: &[Vec<String>], drawing: Drawing) -> Vec<usize> {
    let wide = |text: &str| text.split('\n').map(|line| line.chars().count()).max().unwrap_or(0);
    let mut widths: Vec<usize> = columns
        .iter()
        .enumerate()
        .map(|(at, column)| {
            let title = if drawing.header { wide(&column.title) } else { 0 };
            rows.iter().map(|row| row.get(at).map_or(0, |cell| wide(cell.trim_end()))).fold(title, usize::max)
        })
        .collect();
    let around = if drawing.border { 3 * columns.len() + 1 } else { columns.len().saturating_sub(1) };
    let Some(most) = drawing.width.map(|width| width.saturating_sub(around)) else { return widths };
    while widths.iter().sum::<usize>() > most {
        let Some(widest) = widths.iter_mut().max_by_key(|width| **width).filter(|width| **width > 10) else {
            break;
        };
        *widest -= 1;
    }
    widths
}

fn padded(text: &str, width: usize, right: bool) -> String {
    let cut: String = text.chars().take(width).collect();
    if right { format!("{cut:>width$}") } else { format!("{cut:<width$}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: Drawing = Drawing { border: true, header: true, unicode: true, width: None };

    fn drawn(drawing: Drawing) -> String {
        let column = |title: &str, right| Column { title: title.to_owned(), right };
        let row = |cells: [&str; 2]| cells.map(str::to_owned).to_vec();
        let rows = [row(["name", "1"]), row(["two\nlines", "200"])];
        table(&[column("key", false), column("n", true)], &rows, drawing)
    }

    #[test]
    fn lines_stand_around_cells() {
        assert_eq!(
            drawn(ALL),
            "┌───────┬─────┐\n│ key   │   n │\n╞═══════╪═════╡\n│ name  │   1 │\n├───────┼─────┤\n│ two   │ 200 │\n\
             │ lines │     │\n└───────┴─────┘\n"
        );
        assert_eq!(
            drawn(Drawing { header: false, unicode: false, ..ALL }),
            "+-------+-----+\n| name  |   1 |\n+-------+-----+\n| two   | 200 |\n| lines |     |\n+-------+-----+\n"
        );
        assert_eq!(drawn(Drawing { border: false, ..ALL }), "key     n\nname    1\ntwo   200\nlines\n");
    }

    #[test]
    fn a_wide_cell_is_cut_to_the_terminal() {
        let column = [Column { title: "t".to_owned(), right: false }];
        let rows = [vec!["x".repeat(40)]];
        let text = table(&column, &rows, Drawing { width: Some(24), ..ALL });
        assert!(text.lines().all(|line| line.chars().count() == 24), "{text}");
        let text = table(&column, &rows, Drawing { width: Some(5), ..ALL });
        assert!(text.lines().all(|line| line.chars().count() == 14), "{text}");
    }
}
