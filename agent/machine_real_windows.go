//go:build !winetest

package main

import "log/slog"

func replaceMachine(*machineParts, *slog.Logger) {}
