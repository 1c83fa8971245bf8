# frozen_string_literal: true

bind "tcp://127.0.0.1:#{ENV.fetch('PORT')}"
workers 4
threads 4, 4
preload_app!
on_worker_boot { ActiveRecord::Base.establish_connection }
