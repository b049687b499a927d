package redis

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

// scripts is what the limiter's store takes for Redis. It keeps the store's scripts, so that the store can be made
// before Redis answers, and sends one where Redis does not know it. It also sets expiries right, which the store's
// script only sets with the first request of a window, and deletes what is no count.
type scripts struct {
	redis.UniversalClient
	texts  sync.Map // of scripts, by their SHA-1
	warmUp *warmUp
	logger *slog.Logger
	warned sync.Once // that there was something that is no count
}

// ScriptLoad keeps a script.
func (s *scripts) ScriptLoad(ctx context.Context, text string) *redis.StringCmd {
	sum := redis.NewScript(text).Hash()
	s.texts.Store(sum, text)
	cmd := redis.NewStringCmd(ctx)
	cmd.SetVal(sum)
	return cmd
}

// EvalSha runs a script that has been kept. What it finds under the key and can't count with is deleted, where this client may.
func (s *scripts) EvalSha(ctx context.Context, sum string, keys []string, args ...any) *redis.Cmd {
	cmd := s.run(ctx, sum, keys, args)
	if isNotCounter(cmd.Err()) {
		s.warned.Do(func() {
			s.logger.Warn("what redis has is no count: it begins anew, or each process counts by itself where it can't be deleted; told once",
				"error", cmd.Err().Error())
		})
		if s.Del(ctx, keys[0]).Err() == nil {
			cmd = s.run(ctx, sum, keys, args)
		}
	}
	s.fixExpiry(ctx, cmd, keys[0], args)
	return cmd
}

func (s *scripts) run(ctx context.Context, sum string, keys []string, args []any) *redis.Cmd {
	cmd := s.UniversalClient.EvalSha(ctx, sum, keys, args...)
	if text, kept := s.texts.Load(sum); kept && redis.HasErrorPrefix(cmd.Err(), "NOSCRIPT") {
		cmd = s.Eval(ctx, text.(string), keys, args...)
		s.warmUp.done() // which took a round trip more, this once
	}
	return cmd
}

// isNotCounter reports whether Redis answered that what is under a key can't be counted with: it is not a number, one that is too
// large, or as large as it gets. Where a script meets it, some versions say more before it, and some after it.
func isNotCounter(err error) bool {
	if refusal := redis.Error(nil); !errors.As(err, &refusal) {
		return false
	}
	return slices.ContainsFunc([]string{"WRONGTYPE ", "value is not an integer or out of range", "increment or decrement would overflow"},
		func(answer string) bool { return strings.Contains(err.Error(), answer) })
}

// fixExpiry sees to it that no count outlives its window, which would lock out whoever is counted. The script that counts
// is given by how many, and the window in milliseconds; it answers with the count and what is left of its life, negative
// where that has no end.
func (s *scripts) fixExpiry(ctx context.Context, cmd *redis.Cmd, key string, args []any) {
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
