"""Council recordings and their official minutes, turned into a model that drafts the next minutes

Modules:

- `astra_lib.core.audit`: What was served, and from what: one chain of records per council in which nothing can be changed unnoticed.
- `astra_lib.core.base_model`: The base model that adapters are trained on: a hub name, a folder, or the embedded SmolLM2.
- `astra_lib.core.chat`: The chat formats in use, written down a second time, and a check of a tokenizer's template against them.
- `astra_lib.core.code`: What code a result depends on: a digest over the modules that a job reaches through its imports.
- `astra_lib.core.errors`: Errors that say what is wrong, where, and what to do.
- `astra_lib.core.events`: How a replica of the service hears of promotions, and hears of each even when messages are lost or doubled.
- `astra_lib.core.launcher`: What a supervised process runs first: writes who it is into its locked state file, then becomes the server.
- `astra_lib.core.manifest`: Manifests: what a job's run read, wrote and measured, by sha256; and the chain they form.
- `astra_lib.core.records`: The records that pass between the stages, and their JSON and JSONL form.
- `astra_lib.core.registry`: Which adapter each council is served with: a compare-and-set in Redis, its history, and a gate before it.
- `astra_lib.core.run`: Runs: a job's folder from its start to its manifest; reused when nothing changed, taken over when killed.
- `astra_lib.core.servers`: The two programs behind the embedded S3 and Redis: how each is configured, started and probed.
- `astra_lib.core.services`: The embedded servers: SeaweedFS for S3 and Valkey for Redis, the real programs out of their wheels.
- `astra_lib.core.store`: The object store: files in and out of S3, whole or not at all, with their sha256.
- `astra_lib.core.supervisor`: Start, recognise and stop one detached server process, and never touch a process that is not ours.
- `astra_lib.privacy.docx`: A Word file with nobody in it.
- `astra_lib.privacy.forms`: Personal data that has a form, written or spoken: documents, phones, e-mail, addresses, plates, accounts.
- `astra_lib.privacy.gate`: A second pair of eyes: does a finished file still hold personal data?
- `astra_lib.privacy.misheard`: What a recogniser makes of names and of everything else.
- `astra_lib.privacy.tagger`: A statistical recogniser of person names: a small CRF that survives capitals and lower case.
- `astra_lib.privacy.tagger_training`: Train the name recogniser on sentences composed here; two minutes.
- `astra_lib.privacy.templates`: The sentences from which the name recogniser learns, read from `templates/`, one a line.
- `astra_lib.privacy.weights`: Every number that privacy weighs, in one place.
- `astra_lib.spanish.genre`: Habits of the genre: how minutes word a roll call, a hand-over, a vote, and which line is a person's name.
- `astra_lib.spanish.lists`: The word lists, read from `lists/`.
- `astra_lib.word.builder`: The package of a new Word file: the template's parts that travel, and the ones every package needs.
- `astra_lib.word.canonical`: The canonical subset of WordprocessingML: its style names, its one spelling, and the text in it.
- `astra_lib.word.package`: A Word file as a package: a zip of XML parts, read with limits.
- `astra_lib.word.reader`: A Word document as a clerk reads it: paragraphs and table rows in order, with all changes accepted.
- `astra_lib.word.rules`: Rules of Word that no schema states, for whole .docx files; openxml-audit; a LibreOffice round trip."""

__version__ = "0.1.0"
