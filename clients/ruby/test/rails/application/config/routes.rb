# frozen_string_literal: true

Rails.application.routes.draw do
  resources :links, only: %i[index show] do
    post :clicks, on: :member
  end
  mount KarmaClient::HealthCheck.new => "/health/karma"
end
