//! A few threads that read the log, each with eyes of its own. A question is a closure that runs on
//! one of them, so that no read holds up a socket and none holds the pen.

use std::thread::{self, JoinHandle};

use smol::channel::{self, Receiver, Sender};

use crate::limits;
use crate::store::{Cause, Error, Recall};

type Question = Box<dyn FnOnce(&mut dyn Recall) + Send>;

/// The queue in front of the reader threads. They end when the last clone of it is gone.
#[derive(Clone)]
pub struct Readers {
    questions: Sender<Question>,
}

impl Readers {
    /// Starts a thread for each pair of eyes.
    ///
    /// # Errors
    /// The system's, if it gives no thread.
    pub fn start(eyes: Vec<Box<dyn Recall>>) -> std::io::Result<(Readers, Vec<JoinHandle<()>>)> {
        let (questions, waiting) = channel::bounded(limits::QUESTIONS);
        let run = |mut eyes: Box<dyn Recall>| {
            let waiting: Receiver<Question> = waiting.clone();
            thread::Builder::new().name("reader".into()).spawn(move || {
                while let Ok(question) = waiting.recv_blocking() {
                    question(&mut *eyes);
                }
            })
        };
        let threads = eyes.into_iter().map(run).collect::<Result<_, _>>()?;
        Ok((Readers { questions }, threads))
    }

    /// Asks a question and waits for its answer.
    ///
    /// # Errors
    /// The store's, or that the readers have ended.
    pub async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&mut dyn Recall) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let (answer, answered) = channel::bounded(1);
        let question: Question = Box::new(move |eyes| {
            let known = eyes.begin().and_then(|()| {
                let known = question(eyes);
                eyes.end();
                known
            });
            // Nobody waits for the answer any more: the session has ended.
            let _ = answer.try_send(known);
        });
        let gone = || Error::of(Cause::Bug, "the readers have ended");
        self.questions.send(question).await.map_err(|_| gone())?;
        answered.recv().await.map_err(|_| gone())?
    }
}
