"""Every file that lies in the folder of a run, by its name: docs/run-folder.md describes each, with an example.

`chainrule.runs.folder` writes and reads those that every run has, `chainrule.runs.members`, `chainrule.runs.trials` and
`chainrule.runs.evaluation` those of seeds and folds, of a search, and of the judged rows. What needs more than plain
values is written where these are: checkpoints (`chainrule.training.checkpoint`), the journal of a search
(`chainrule.tuning.journal`) and the page (`chainrule.report`).
"""

from __future__ import annotations

CONFIG = "config.toml"  # every setting
METRICS = "metrics.jsonl"  # one record for each epoch
MODEL = "model.safetensors"  # the trained model, as `chainrule.load_model` reads it
CHECKPOINTS = "checkpoints"  # the folder of the states to go on from
ENVIRONMENT = "environment.json"  # versions, machine, and when it was started
RESULT = "result.json"  # how it ended, and its test
EVALUATION = "evaluation.json"  # the model on rows that judge it, beside simpler rules
REPORT = "report.html"  # the page about all of this
VIEWS = "views"  # the folder of what it recorded of its training
DIAGNOSIS = "diagnosis.json"  # what the doctor says of it
PREVIEW = "augment.png"  # training images as they are augmented
MEMBERS = "members.json"  # the networks of several seeds or folds
MEMBERS_FOLDER = "members"  # … and the folder of their own files
SEARCH_CONFIG = "search.toml"  # what a search was asked for
SEARCH = "search.json"  # its trials
LEADERBOARD = "leaderboard.csv"  # … as a table, the best first
JOURNAL = "study.journal"  # the study of the search, from which it goes on

#: The model with the best weights so far, and the state after a step: in the folder of the checkpoints.
BEST, STEP = "best.safetensors", "step-{:08d}.safetensors"

#: In the folder of the recording: plain values, what stays the same, the network before its first step, what grows with
#: every step, with every epoch and with every stop, and the weights after a step.
VIEWS_HEADER, VIEWS_FIXED, VIEWS_NETWORK = "recorded.json", "fixed.safetensors", "network.safetensors"
VIEWS_STEPS, VIEWS_ROWS, VIEWS_UPDATES = "steps.f32", "rows.u8", "updates.f32"
VIEWS_SNAPSHOT = "at-{:08d}.safetensors"

#: The number that a file's own ``format`` has. It rises when an older reader would misunderstand the file; that of
#: models is in `chainrule.models.saving`, for they also lie elsewhere.
EVALUATION_FORMAT = SEARCH_FORMAT = 2
VIEWS_FORMAT = 1
MEMBERS_FORMAT = 2
CHECKPOINT_FORMAT = 4
STUDY_FORMAT = "3"  # among the study's own attributes, which are text

#: What says how a run ended: the last files to be written, in this order, and the first to be removed when it goes on.
#: So a run that has the last one has all.
OUTCOME = (RESULT, EVALUATION, REPORT)

#: What may be there before the settings are; a folder with nothing else was left before anything was saved.
BEFORE_THE_SETTINGS = (ENVIRONMENT, PREVIEW)

#: What lies in a run's folder, besides what commands such as export write there.
OF_A_RUN = (
    *(MODEL, CONFIG, SEARCH_CONFIG, METRICS, RESULT, ENVIRONMENT, EVALUATION, MEMBERS, SEARCH, LEADERBOARD, JOURNAL),
    *(REPORT, DIAGNOSIS, CHECKPOINTS, MEMBERS_FOLDER, VIEWS),
)
