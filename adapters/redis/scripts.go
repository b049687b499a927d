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

// scripts wraps the client that the limiter's store uses. It keeps the store's scripts, so that the store can be created
// before Redis answers, and loads one when Redis does not have it. It also repairs expiries, which the store's script only
// sets with the first request of a window, and deletes keys that hold no counter.
type scripts struct {
	redis.UniversalClient
	texts  sync.Map // of scripts, by their SHA-1
	warmUp *warmUp
	logger *slog.Logger
	warned sync.Once // once about a key that holds no counter
}

// ScriptLoad stores a script locally and returns its hash.
func (s *scripts) ScriptLoad(ctx context.Context, text string) *redis.StringCmd {
	sum := redis.NewScript(text).Hash()
	s.texts.Store(sum, text)
	cmd := redis.NewStringCmd(ctx)
	cmd.SetVal(sum)
	return cmd
}

// EvalSha runs a stored script. If the key does not hold a counter, it deletes the key, if permitted, and tries again.
func (s *scripts) EvalSha(ctx context.Context, sum string, keys []string, args ...any) *redis.Cmd {
	cmd := s.run(ctx, sum, keys, args)
	if isNotCounter(cmd.Err()) {
		s.warned.Do(func() {
			s.logger.Warn("a redis key does not hold a counter: it is deleted, or if that is not permitted each process counts itself; logged once",
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
		s.warmUp.done() // this took one extra round trip
	}
	return cmd
}

// isNotCounter reports whether Redis answered that a key does not hold a counter: not an integer, one that is out of range,
// or one that would overflow. In errors from scripts, some versions add text before or after that answer.
func isNotCounter(err error) bool {
	if refusal := redis.Error(nil); !errors.As(err, &refusal) {
		return false
	}
	return slices.ContainsFunc([]string{"WRONGTYPE ", "value is not an integer or out of range", "increment or decrement would overflow"},
		func(answer string) bool { return strings.Contains(err.Error(), answer) })
}

// fixExpiry makes sure that no counter outlives its window, which would lock out the client. The script's arguments are the
// increment and the window in milliseconds; it returns the count and its remaining time to live, negative if it has none.
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
