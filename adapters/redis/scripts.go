package redis

import (
	"context"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

// scripts is what the limiter's store takes for Redis. It keeps the store's scripts, so that the store can be made
// before Redis answers, and sends one where Redis does not know it. It also sets expiries right, which the store's
// script only sets with the first request of a window.
type scripts struct {
	redis.UniversalClient
	texts    sync.Map // of scripts, by their SHA-1
	prepared *preparation
}

// ScriptLoad keeps a script.
func (s *scripts) ScriptLoad(ctx context.Context, text string) *redis.StringCmd {
	sum := redis.NewScript(text).Hash()
	s.texts.Store(sum, text)
	cmd := redis.NewStringCmd(ctx)
	cmd.SetVal(sum)
	return cmd
}

// EvalSha runs a script that has been kept.
func (s *scripts) EvalSha(ctx context.Context, sum string, keys []string, args ...any) *redis.Cmd {
	cmd := s.UniversalClient.EvalSha(ctx, sum, keys, args...)
	if text, kept := s.texts.Load(sum); kept && redis.HasErrorPrefix(cmd.Err(), "NOSCRIPT") {
		cmd = s.Eval(ctx, text.(string), keys, args...)
		s.prepared.done() // which took a round trip more, this once
	}
	s.limitLife(ctx, cmd, keys[0], args)
	return cmd
}

// limitLife sees to it that no count outlives its window, which would lock out whoever is counted. The script that counts
// is given by how many, and the window in milliseconds; it answers with the count and what is left of its life, negative
// where that has no end.
func (s *scripts) limitLife(ctx context.Context, cmd *redis.Cmd, key string, args []any) {
	counted, _ := cmd.Val().([]any)
	if len(args) != 2 || len(counted) != 2 {
		return
	}
	window, _ := args[1].(int64)
	left, _ := counted[1].(int64)
	if left >= 0 && left <= window {
		return
	}
	if err := s.PExpire(ctx, key, time.Duration(window)*time.Millisecond).Err(); err != nil {
		cmd.SetErr(err)
		return
	}
	cmd.SetVal([]any{counted[0], window})
}
