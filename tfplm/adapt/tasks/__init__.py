"""Tasks: conversion of examples to model inputs, and of model outputs to predictions; losses and scores."""
