"""Tests of the command, its reports and pages."""
