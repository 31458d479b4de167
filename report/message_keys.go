package report

// The messages. Their texts are in english and chinese.
const (
	// Titles of the symptoms.
	titleTakeOver message = iota
	titleShared
	titleChurn
	titleIdentifier
	titleUnavailable
	titleCredentials
	titleNotAuthorized
	titleVersion
	titleConnack
	titleRedirect
	titleClosed
	titleNoConnack
	titleSlow
	titleRefused
	titleTimeout
	titleTLSToPlain
	titlePlainToTLS
	titleHTTP
	titleTLSAlert
	titleInsideTLS
	titleWS
	titleStorm
	titleKeepAlive
	titleFlapping
	titleMalformed
	titleOther

	// Answers: what is wrong, in one sentence; the fix follows it.
	answerTakeOver
	answerTakeOverLoop
	answerTakeOverLoopOne
	answerTakeOverUser
	answerStale
	answerShared
	answerChurn
	answerIdentifier
	answerIdentifierEmpty
	answerCode
	answerCredentials
	answerNotAuthorized
	answerVersion
	answerRedirect
	answerClosed
	answerClosedEarly
	answerNoConnack
	answerAuthPending
	answerSlow
	answerRefused
	answerTimeout
	answerTLSToPlain
	answerPlainToTLS
	answerHTTP
	answerTLSAlert
	answerInsideTLS
	answerWS
	answerStorm
	answerKeepAlive
	answerFlapping
	answerMalformed
	answerIncomplete
	answerOther

	// Summaries: one sentence with the numbers.
	summaryTakeOver
	summaryTakeOverUser
	summaryStale
	summaryShared
	summaryChurn
	summaryCode
	summaryCodeUnseen
	summaryAuth
	summaryRedirect
	summaryClosed
	summaryNoConnack
	summaryAuthPending
	summarySlow
	summaryRefused
	summaryTimeout
	summaryTLSToPlain
	summaryPlainToTLS
	summaryHTTP
	summaryTLSAlert
	summaryInsideTLS
	summaryWS
	summaryStorm
	summaryKeepAlive
	summaryFlapping
	summaryMalformed
	summaryIncomplete
	summaryOther

	// Answers when there is nothing to find.
	answerQuiet
	answerAllAccepted
	answerSomeAccepted
	answerRemark
	answerMore
	moreFindings
	answerHidden
	answerNothingShown
	answerEncryptedOne
	answerOpen
	answerUnseen
	portOne
	portMany
	answerEncrypted
	answerNoTraffic
	answerNoTCP
	answerUnreadable
	answerNoFinding
	answerNoPackets
	answerNotMQTT
	answerUndecoded
	answerSilentPort

	// Labels of a finding.
	labelBroker
	labelWho
	labelWhen
	labelPackets
	labelWireshark
	labelCause
	labelOrCause
	labelNotCause
	labelMaybe
	labelDo
	labelCould
	labelNoUse
	labelDeadEnd
	labelAlsoDead
	labelCannotTell
	labelLook
	labelArticle
	labelAdvice
	severityError
	severityWarning
	severityInfo

	// Phrases of a finding.
	whoIDs
	whoEmpty
	whoAt
	whenSpan
	whenOnce
	inCapture
	tagSupported
	tagPossible
	tagRate
	tagFails
	failsShort
	tagConfidence
	inPlace
	notApplicable
	seen
	supportedBy
	asIn
	more

	// Lists and counts.
	listAnd
	listComma
	colon
	semicolon
	fullStop
	andMore
	once
	timesMany
	subjectOne
	subjectMany
	subjectEmpty
	mqttVersion
	version

	// Units.
	milliseconds
	seconds
	minutes
	hours
	days

	// The totals.
	totalSessions
	totalConnections
	totalAccepted
	totalRejected
	totalRejectedWith
	totalUnanswered
	totalRefused
	totalTLSFailed
	totalNotMQTT
	totalEncrypted
	totalUnknown
	totalRest
	totalClean
	encryptedRest
	lossEvicted
	lossNotKept
	lossOmitted
	noteMidStream
	noteGap
	noteCut
	noteOneSided
	noteTwice
	noteDesync
	noteUnread
	captureCut
	captureProblem
	captureUndecoded
	reasonCount
	reasonNotTCP
	reasonNotIP
	reasonUDP
	reasonFragment
	reasonUnknownLink
	reasonCut
	reasonMalformed
	reasonEncrypted
	reasonOverlap
	reasonTooDeep

	// Tables.
	headVersion
	headCode
	headName
	headCount
	headSession
	headTime
	headClient
	headBroker
	headClientID
	headOutcome
	headConnack
	headCapture
	headPackets
	headSpan
	headFirst
	outcomeAccepted
	outcomeRejected
	outcomeUnanswered
	outcomeRefused
	outcomeTLSFailed
	outcomeNotMQTT
	outcomeUnknown

	// Explanations and lists of entries.
	explainVersion
	explainUndefined
	explainAt
	explainSymptom
	explainMeans
	explainFires
	explainCodes
	explainMore
	headEntry
	headTitle
	headSymptoms
	labelSummary
	labelSymptoms
	labelApplies
	labelPublished
	labelVersions
	labelHow
	labelWhy
	labelSources
	labelFixes
	labelCauses
	labelDeadEnds
	publishedFigures

	// What a client changed before it was accepted.
	workedClientID
	workedCleanStart
	workedKeepAlive
	workedVersion
	workedCredentials
	workedPort
	workedSeveral

	// Filters.
	answerNoMatch
	filtered

	messages // how many there are
)
