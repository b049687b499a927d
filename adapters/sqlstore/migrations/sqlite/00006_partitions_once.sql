-- +goose Up
-- This version changes a function of Postgres.

-- +goose Down
