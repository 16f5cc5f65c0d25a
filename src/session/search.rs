//! `HIST … with`: looking for messages by their words. The store finds them; what is shown of each is
//! what `HIST` shows.

use super::Session;
use super::answer::Answer;
use super::commands::find;
use super::output::peer;
use crate::store::{SearchPage, SearchQuery, SpanQuery};
use crate::wire::reply::Reply;
use crate::wire::request::Search;

impl Session {
    /// `HIST … with`
    pub(super) async fn search(&mut self, search: Search) -> Answer {
        let me = self.me()?.account;
        let re = search.re.map(|which| self.which(which)).transpose()?;
        let Search { to, count, before, after, words, .. } = search;
        let is_all = before.is_none() && after.is_none();
        let span = SpanQuery { count, before, after, re };
        let found = self.ask(move |reader| {
            let conversation = match to.map(|to| find(reader, me, &to)).transpose()? {
                Some(Ok(None)) => return Ok(Ok(Default::default())),
                Some(Err(refusal)) => return Ok(Err(refusal)),
                Some(Ok(one)) => one,
                None => None,
            };
            let query = SearchQuery { conversation, span, words };
            let page = reader.search(me, &query)?;
            let rows = reader.entries_of(me, &page.found)?;
            Ok(Ok((page, rows)))
        });
        let (page, mut rows_now): (SearchPage, _) = found.await??;
        self.me()?.sent.get_or_insert_default().begin_list();
        let (mut found, mut count) = (page.found, 0);
        // An empty page: the remaining entries have expired meanwhile.
        while let Some(last) = rows_now.last().map(|row| row.id) {
            self.say_rows(&rows_now);
            count += rows_now.len();
            let known = self.me()?;
            for row in &rows_now {
                let of = peer(&known.handle, &row.from, &row.to);
                known.sent.get_or_insert_default().note_row(of, row.id);
            }
            found.retain(|(_, id)| *id > last);
            if found.is_empty() {
                break;
            }
            self.flush().await?;
            let wanted = found.clone();
            rows_now = self.ask(move |reader| reader.entries_of(me, &wanted)).await?;
        }
        if is_all && count == 0 && page.upto.is_none() {
            self.may_be_answered(re).await?;
        }
        Ok(Some(match page.upto {
            Some(upto) => Reply::Searched { count, upto },
            None => Reply::Listed { count, more: false },
        }))
    }
}
