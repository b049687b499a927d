-- +goose Up
-- This version changes the file of events.

-- +goose Down
