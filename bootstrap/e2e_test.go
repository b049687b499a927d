package bootstrap_test

import "testing"

func TestEndToEnd(t *testing.T) { endToEnd(t, onSQLite) }

// endToEnd runs the suite over real HTTP on a backend.
func endToEnd(t *testing.T, on backend) {
	for _, test := range []struct {
		name string
		run  func(*testing.T, backend)
	}{
		{"registration and sign-in", testRegistration},
		{"matrix", testMatrix},
		{"absence is hidden", testAbsenceIsHidden},
		{"registration modes", testRegistrationModes},
		{"no enumeration", testNoEnumeration},
		{"rotation", testRotation},
		{"concurrent refreshes", testConcurrentRefresh},
		{"sign out", testSignOut},
		{"guessing", testGuessing},
		{"session limit", testSessionLimit},
		{"registrations at once", testRegistrationsAtOnce},
		{"address throttled", testAddressThrottled},
		{"stolen token", testStolenToken},
		{"grace", testGrace},
		{"changes count at once", testChangesCountAtOnce},
		{"password", testPassword},
		{"operator", testOperator},
		{"restart and other processes", testRestart},
		{"tokens", testTokens},
		{"role rules", testRoleRules},
		{"rate limits", testRateLimits},
		{"events", testEvents},
		{"expected results", testResults},
		{"timeseries", testTimeseries},
		{"idempotency", testIdempotency},
		{"batches", testBatches},
		{"atomic batches", testAtomicBatches},
		{"compressed", testCompressed},
		{"streams", testStreams},
		{"sending events that are alike", testSendingAlike},
		{"streams that are stopped", testStoppedStreams},
		{"too many streams", testTooManyStreams},
		{"export", testExport},
		{"bad input", testBadInput},
		{"all field errors", testAllFieldErrors},
		{"formats", testFormats},
		{"homographs", testHomographs},
		{"malformed query", testMalformedQuery},
		{"cross-site", testCrossSite},
		{"ETags", testETags},
		{"questions", testQuestions},
		{"bad questions", testBadQuestions},
		{"funnel", testFunnel},
		{"erasure", testErasure},
		{"open routes", testOpenRoutes},
		{"too large is counted", testTooLargeCounted},
		{"audit log", testAuditLog},
		{"migrating", testMigrating},
		{"retention", testRetention},
		{"headers", testHeaders},
		{"docs", testDocs},
		{"root", testRoot},
		{"contract", testContract},
	} {
		t.Run(test.name, func(t *testing.T) { t.Parallel(); test.run(t, on) })
	}
}
