/*
# Entries

An entry is one YAML file. The embedded ones lie in entries/; a folder of more
entries may be laid over them, and an entry there replaces the embedded one of
the same id. A file holds one entry. Every text is given in English and in
Chinese. Unknown keys are errors, and so is everything else that could hide a
slip of the pen: [Load] reports all problems of all files at once, one a line,
with file and line, and loads nothing when there is one.

	id: mqtt/empty-client-id            # two or more path elements in kebab-case
	title:   {en: ..., zh: ...}
	summary: {en: ..., zh: ...}
	symptoms: [identifier-rejected]     # the findings that it answers
	when: client_id_empty               # optional: under what facts it is specific
	published:                          # optional: figures of the published article
	  source: https://...
	  first_seen: 2024-02-28
	  confidence: 0.84
	  fix_rate: 0.83
	versions:                           # optional
	  - {name: Mosquitto 2.0.15, status: active, note: {en: ..., zh: ...}}
	causes:
	  - id: clean-session-off
	    text: {en: ..., zh: ...}
	    contradicted: clean_start       # conditions, all optional
	    supported: not clean_start
	    because:                        # optional: a list of texts a status
	      supported:
	        - {en: "...", zh: "..."}
	fixes:
	  - id: clean-session
	    text: {en: ..., zh: ...}
	    success_rate: 0.9               # optional, and only with its source
	    rate_source: https://...
	    worked: clean-start             # optional: the change that the fix is
	    in_place: clean_start
	    not_applicable: not client_id_empty
	    recommended: not clean_start
	    because: {in-place: [...], not-applicable: [...], recommended: [...]}
	    how:
	      - {for: Mosquitto 2.0, text: {en: ..., zh: ...}}
	dead_ends:
	  - id: same-id-again
	    text: {en: ..., zh: ...}
	    why:  {en: ..., zh: ...}
	    fail_rate: 0.85
	    rate_source: https://...
	    seen: retries_unchanged > 0
	    because: {seen: [...], not-seen: [...]}
	cannot_tell: {en: ..., zh: ...}     # what no packet shows
	look_next:
	  - {for: Mosquitto, text: {en: ..., zh: ...}}
	sources: [https://..., "MQTT 3.1.1 [MQTT-3.1.3-8]"]
	captures:                           # cases that hold the entry to its word
	  fires: [mosquitto-2.0.15_v311_empty-id_clean0_connack2]
	  silent: [mosquitto-2.0.11_v311_empty-id_clean1_accepted]

# Conditions

A condition is an expression over the facts of a finding (analyze.Facts, by
their JSON names) and symptom, the finding's own. It is type-checked when the
entry loads. It may use

	and or not && || !           == != < <= > >=        + - * /
	in [ ... ]                   contains startsWith endsWith
	matches "regular expression" known(fact)

and numbers, strings, true and false; nothing else of expr-lang.

A fact may be absent, because the packets do not show it. A comparison that
uses an absent fact is undecided, and and, or, not work on that by Kleene's
logic: "a or b" holds as soon as one of them does, "a and b" fails as soon as one
of them does, whatever the other is. known(fact) says whether a fact is there,
and is always decided. A condition that is undecided neither holds nor fails.

# Statuses

	cause      contradicted, if that condition holds; else supported, if that
	           one does; else possible
	fix        in-place, else not-applicable, else recommended, else possible;
	           recommended before all others, where its change is the one after
	           which a client was accepted (worked)
	dead end   seen, if its condition holds; not-seen, if it fails; not-visible,
	           if it is undecided or there is none

# Because

Every status comes with a reason. It is the first under because for that status
that can be said; if none can, it is made from the facts that decided the
condition, or names those that are missing.

	because:
	  supported:
	    - {when: addresses > 1, en: "{takeovers takeover/takeovers} ...", zh: "接管 {takeovers} 次……"}

{fact} stands for the value of a fact, and in English {fact one/many} for a count
and its noun. A reason is passed over when its when does not hold, when it names
an absent fact, or when it names one that the status' condition tried and that
did not decide it.
*/
package kb

//go:generate go test -run ^TestFactTable$ . -update
