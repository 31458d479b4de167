// Package slice writes of captures only the packets that findings rest on, with
// comments on those that matter and without the secrets in them.
//
// It goes three times over each capture. The first time is the analysis, which
// tells the sessions. The second one follows their streams and notes where secrets lie,
// by stream offset: a CONNECT may come in any pieces and any order, so that this
// is not known before it is whole. The third one writes every packet of the
// connections, with the bytes at those offsets overwritten wherever they occur. Where
// IP fragments are among them, one more time before that adds up the checksums of what they
// are parts of.
//
// What is kept is what was understood: bytes of which nothing here can tell what they are
// count as secret.
package slice
